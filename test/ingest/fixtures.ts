/** A registry with one source of all field types, and a log that keeps what it is handed. */
import type { HeadraceError } from '../../src/errors.ts';
import { Ingest, type IngestParts } from '../../src/ingest/ingest.ts';
import type { Registry, Source } from '../../src/registry/view.ts';
import type { Batch, CodedColumn, Commit, CommitGroup, IngestAnswer } from '../../src/store/log-row.ts';

const DAY = 86_400_000_000;

export const source: Source = {
  name: 'departures',
  keys: [
    { entity: 'airport', template: ['', 'origin', ''] },
    { entity: 'route', template: ['', 'origin', '-', 'destination', ''] },
  ],
  timestamp: 'date',
  fields: [
    { name: 'delay', type: 'float' },
    { name: 'seats', type: 'int' },
    { name: 'diverted', type: 'bool' },
    { name: 'origin', type: 'category' },
    { name: 'planned', type: 'timestamp' },
  ],
  lateness: DAY,
  maxAhead: DAY,
  retention: 31 * DAY,
  history: 170 * DAY,
};

export const registry: Registry = {
  project: 'test',
  clock: { mode: 'event', sources: null },
  entities: new Map(),
  sources: new Map([[source.name, source]]),
  views: new Map(),
  services: new Map(),
  path: 'features.yaml',
};

export const WALL = 1_700_000_000_000_000;

/** A log that gives codes and answers when told to. */
export class HeldLog {
  readonly batches: Batch[] = [];
  readonly known = new Map<string, string[]>();
  readonly ingest: Ingest;
  position = 0;

  constructor(config: Partial<IngestParts['config']> = {}) {
    this.ingest = new Ingest({
      registry: () => registry,
      codes: { codeOf: (dictionary, text) => this.known.get(dictionary)?.indexOf(text) ?? -1 },
      append: (batch) => this.batches.push(batch),
      wallMicros: () => WALL,
      config: { ingest_inflight_bytes_max: 1 << 20, events_max: 100_000, entity_id_bytes_max: 512, ...config },
    });
  }

  get last(): Batch {
    return this.batches[this.batches.length - 1]!;
  }

  /** Answers all that was appended since, in order. */
  commit(): void {
    const commits = this.batches.splice(0).map((batch): Commit => {
      this.position += batch.n;
      const answer: IngestAnswer = {
        position: this.position,
        accepted: batch.n,
        late: 0,
        duplicate: 0,
        rejected: batch.rejected,
      };
      return { id: batch.id, answer, error: null, added: null };
    });
    this.ingest.committed(group(commits, this.position));
  }

  texts(dictionary: string, column: CodedColumn): (string | null)[] {
    return Array.from(column.codes, (code) => {
      if (code === -1) return null;
      return code >= 0 ? this.known.get(dictionary)![code]! : column.fresh[-2 - code]!;
    });
  }
}

export function group(commits: Commit[], position: number): CommitGroup {
  return { commits, dictionaries: [], position, commit_ms: 1 };
}

/** What a request was answered; throws where it was not, or twice. */
export class Outcome {
  #calls: [HeadraceError | null, IngestAnswer | null][] = [];

  readonly done = (error: HeadraceError | null, answer: IngestAnswer | null): void => {
    this.#calls.push([error, answer]);
  };

  get waiting(): boolean {
    return this.#calls.length === 0;
  }

  get error(): HeadraceError {
    const [error] = this.#one();
    if (error === null) throw new Error('the request succeeded');
    return error;
  }

  get answer(): IngestAnswer {
    const [error, answer] = this.#one();
    if (error !== null) throw error;
    return answer!;
  }

  #one(): [HeadraceError | null, IngestAnswer | null] {
    if (this.#calls.length !== 1) throw new Error(`answered ${this.#calls.length} times`);
    return this.#calls[0]!;
  }
}
