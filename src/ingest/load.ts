import type { RecordBatch } from 'apache-arrow';
import type { Micros } from '../clock.ts';
import { HeadraceError } from '../errors.ts';
import type { Source } from '../registry/view.ts';
import type { BatchKey, IngestAnswer, Rejection } from '../store/log-row.ts';
import { fileIdentity } from './file-identity.ts';
import { type Ingest, TABLE_ROWS } from './ingest.ts';
import { columnsOf } from './source-columns.ts';
import { TableReader } from './table-reader.ts';

export interface LoadParts {
  ingest: Pick<Ingest, 'table' | 'rows'>;
  /** The newest batch of a producer; null: none. */
  lastBatch(source: string, producer: string): Promise<{ batch: string | number; chunk: number } | null>;
}

export interface LoadOptions {
  file: string;
  source: Source;
  /** Load up to and including this; null: all. */
  until: Micros | null;
  /** The interpreter. */
  python: string;
  producer?: string;
  /** Rows that are in the log, of `total` wanted ones; `exact` tells whether the total was counted. */
  onProgress?: (rows: number, total: number, exact: boolean) => void;
  signal?: AbortSignal;
}

export interface Loaded {
  /** Rows that an earlier load had brought. */
  skipped: number;
  accepted: number;
  late: number;
  /** Events that the log had already. */
  duplicate: number;
  rejected: number;
  /** The first of them, with the number of the row among the wanted ones as index. */
  reasons: Rejection[];
}

/** Batches between here and the disk. */
const UNDER_WAY_MAX = 4;
const REASONS_MAX = 10;

/**
 * Brings a file into the log by the same door as all events, in file order. Each batch is a chunk of one batch key, which
 * names the file: what the log has already is not read again, and another file under the same producer is refused. A
 * last batch without events, `FILE:ROWS`, says that the log has all of the file, so that the next start need not even
 * open it.
 *
 * @returns what was brought when all that was handed over is durable; after an abort that is a part
 */
export async function loadFile(options: LoadOptions, parts: LoadParts): Promise<Loaded> {
  const { file, source, until, python, producer = 'load', onProgress, signal } = options;
  const batch = await identityOf(options);
  const last = await parts.lastBatch(source.name, producer);
  const [lastFile, lastRows] = last === null ? [batch] : String(last.batch).split(':');
  if (lastFile !== batch) {
    throw new HeadraceError(
      'batch_conflict',
      `the log holds events that '${producer}' brought to ${source.name} from another file, or with another end; ` +
        'start with an empty data folder, or with the file and the end of before',
    );
  }
  if (lastRows !== undefined) return nothingYet(Number(lastRows));
  const firstChunk = last === null ? 0 : last.chunk + 1;
  const skip = firstChunk * TABLE_ROWS;
  const window = { timestamp: source.timestamp, after: null, until };
  const reader = await TableReader.open({
    ...window,
    file,
    columns: columnsOf(source),
    skip,
    batchRows: TABLE_ROWS,
    python,
  });
  const loading = new Loading(parts.ingest, source.name, Math.min(skip, reader.rows), (rows) =>
    onProgress?.(rows, reader.rows, reader.exact),
  );
  const stop = (): void => reader.close();
  signal?.addEventListener('abort', stop);
  try {
    let chunk = firstChunk;
    for await (const events of reader.batches()) {
      if (signal?.aborted === true) break;
      await loading.add(events, { producer, batch, chunk });
      chunk++;
    }
  } catch (error) {
    // The reader's own end by an abort is no failure.
    if (signal?.aborted !== true) {
      await loading.settled();
      throw error;
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    reader.close();
  }
  const loaded = await loading.end();
  if (signal?.aborted !== true) await markWhole(`${batch}:${loading.rows}`, source.name, producer, parts.ingest);
  return loaded;
}

function nothingYet(skipped: number): Loaded {
  return { skipped, accepted: 0, late: 0, duplicate: 0, rejected: 0, reasons: [] };
}

function markWhole(batch: string, source: string, producer: string, ingest: Pick<Ingest, 'rows'>): Promise<void> {
  return new Promise((resolve, reject) => {
    ingest.rows(source, [], { producer, batch, chunk: 0 }, (error) => (error === null ? resolve() : reject(error)));
  });
}

async function identityOf({ file, until }: LoadOptions): Promise<string> {
  try {
    return await fileIdentity(file, [until, TABLE_ROWS]);
  } catch (error) {
    throw new HeadraceError('bad_request', `${file} cannot be read: ${(error as Error).message}`);
  }
}

/** The batches under way, and what became of those before them. */
class Loading {
  readonly #ingest: Pick<Ingest, 'table'>;
  readonly #source: string;
  readonly #progress: (rows: number) => void;
  readonly #total: Loaded;
  #given: number;
  #done: number;
  #underWay = 0;
  #failure: HeadraceError | null = null;
  #wake: () => void = () => undefined;

  constructor(ingest: Pick<Ingest, 'table'>, source: string, skipped: number, progress: (rows: number) => void) {
    this.#ingest = ingest;
    this.#source = source;
    this.#progress = progress;
    this.#total = nothingYet(skipped);
    this.#given = skipped;
    this.#done = skipped;
    progress(skipped);
  }

  /** Rows that were handed over, the skipped ones among them. */
  get rows(): number {
    return this.#given;
  }

  /** Resolves when the next batch may come. */
  async add(events: RecordBatch, key: BatchKey): Promise<void> {
    const base = this.#given;
    this.#given += events.numRows;
    for (;;) {
      while (this.#underWay >= UNDER_WAY_MAX && this.#failure === null) await this.#change();
      if (this.#failure !== null) throw this.#failure;
      const overloaded = this.#start(events, key, base);
      if (overloaded === null) return;
      // Not only these events wait for the disk: an end of one of them may not be what makes room.
      await new Promise((resolve) => setTimeout(resolve, overloaded.retryAfterMs));
    }
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#underWay > 0) await this.#change();
  }

  async end(): Promise<Loaded> {
    await this.settled();
    if (this.#failure !== null) throw this.#failure;
    return this.#total;
  }

  /** @returns the error where the engine takes no more for now */
  #start(events: RecordBatch, key: BatchKey, base: number): HeadraceError | null {
    let overloaded: HeadraceError | null = null;
    this.#underWay++;
    this.#ingest.table(this.#source, events, key, (error, answer) => {
      this.#underWay--;
      if (error?.code === 'overloaded') overloaded = error;
      else if (error !== null) this.#failure ??= error;
      else this.#count(events.numRows, answer!, base);
      this.#wake();
    });
    return overloaded;
  }

  #count(rows: number, answer: IngestAnswer, base: number): void {
    const total = this.#total;
    total.accepted += answer.accepted;
    total.late += answer.late;
    total.duplicate += answer.duplicate;
    total.rejected += answer.rejected.length;
    for (const rejection of answer.rejected.slice(0, REASONS_MAX - total.reasons.length)) {
      total.reasons.push({ ...rejection, index: base + rejection.index });
    }
    this.#done += rows;
    this.#progress(this.#done);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
