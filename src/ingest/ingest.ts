import type { RecordBatch } from 'apache-arrow';
import type { Micros } from '../clock.ts';
import type { Config } from '../config.ts';
import { HeadraceError } from '../errors.ts';
import type { Registry, Source } from '../registry/view.ts';
import type { Batch, BatchKey, CommitGroup, IngestAnswer } from '../store/log-row.ts';
import { ArrowColumns } from './arrow-columns.ts';
import { checkedBatch } from './check.ts';
import type { Codes } from './coding.ts';
import type { EventColumns } from './event-columns.ts';
import { Rejections } from './rejections.ts';
import { ValueColumns } from './value-columns.ts';

/** Called exactly once, in the same turn or later; the answer is null where there is an error. */
export type IngestDone = (error: HeadraceError | null, answer: IngestAnswer | null) => void;

export interface IngestParts {
  /** The registry that serves now. */
  registry(): Registry;
  codes: Codes;
  /** Hands a batch to the log; its outcome comes by {@link Ingest.committed}, in the order of the calls. */
  append(batch: Batch): void;
  wallMicros(): Micros;
  config: Pick<Config, 'ingest_inflight_bytes_max' | 'events_max' | 'entity_id_bytes_max'>;
}

interface Pending {
  bytes: number;
  done: IngestDone;
}

/** Rows of one record batch that are always taken: how files are cut. */
export const TABLE_ROWS = 65_536;

/** What an overloaded producer is told to wait: a few commits. */
const RETRY_AFTER_MS = 100;

/**
 * The one door for events: checks them, codes their ids, hands them to the log and answers when they are durable and
 * visible.
 */
export class Ingest {
  readonly #parts: IngestParts;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #bytes = 0;
  #closed: HeadraceError | null = null;

  constructor(parts: IngestParts) {
    this.#parts = parts;
  }

  /** Bytes of events between here and the disk. */
  get inflightBytes(): number {
    return this.#bytes;
  }

  /** Requests without an answer. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Takes events as objects with the source's column names. */
  rows(source: string, events: readonly unknown[], key: BatchKey | null, done: IngestDone): void {
    this.#take(source, events.length, key, done, (rejections) => ValueColumns.ofRows(events, rejections));
  }

  /** Takes events by column; the columns are of one length. */
  columns(source: string, columns: Readonly<Record<string, unknown>>, key: BatchKey | null, done: IngestDone): void {
    let values: ValueColumns;
    try {
      values = ValueColumns.ofColumns(columns);
    } catch (error) {
      done(asError(error), null);
      return;
    }
    this.#take(source, values.n, key, done, () => values);
  }

  /**
   * Takes events from one Arrow record batch. Texts are taken for numbers, booleans and times where they read as such,
   * since files of text (CSV) have nothing else.
   */
  table(source: string, batch: RecordBatch, key: BatchKey | null, done: IngestDone): void {
    const eventsMax = Math.max(TABLE_ROWS, this.#parts.config.events_max);
    this.#take(source, batch.numRows, key, done, (rejections) => new ArrowColumns(batch, rejections), eventsMax);
  }

  /** Answers the requests of a transaction; call it when all that reads from the log knows of it. */
  committed(group: CommitGroup): void {
    for (const { id, answer, error } of group.commits) {
      const pending = this.#pending.get(id);
      if (pending === undefined) continue;
      this.#pending.delete(id);
      this.#bytes -= pending.bytes;
      if (error !== null) pending.done(new HeadraceError(error.code, error.message), null);
      else pending.done(null, answer);
    }
  }

  /** Takes no more events; those under way are still answered. */
  drain(): void {
    this.#closed ??= new HeadraceError(
      'draining',
      'the engine is shutting down; send the events again when it is back',
    );
  }

  /** The log is gone: answers all that waits, and all that still comes, with the error. */
  fail(error: HeadraceError): void {
    this.#closed = error;
    for (const { done } of [...this.#pending.values()]) done(error, null);
    this.#pending.clear();
    this.#bytes = 0;
  }

  #take(
    name: string,
    n: number,
    key: BatchKey | null,
    done: IngestDone,
    columns: (rejections: Rejections) => EventColumns,
    eventsMax = this.#parts.config.events_max,
  ): void {
    let batch: Batch;
    try {
      const source = this.#admit(name, n, eventsMax);
      const rejections = new Rejections();
      const { codes, config, wallMicros } = this.#parts;
      const origin = { id: this.#nextId, key, wall: wallMicros() };
      batch = checkedBatch(source, columns(rejections), rejections, codes, config.entity_id_bytes_max, origin);
    } catch (error) {
      done(asError(error), null);
      return;
    }
    this.#nextId++;
    const bytes = bytesOf(batch);
    this.#pending.set(batch.id, { bytes, done });
    this.#bytes += bytes;
    this.#parts.append(batch);
  }

  /** Refuses what concerns the whole request, before work is put into its events. */
  #admit(name: string, n: number, eventsMax: number): Source {
    if (this.#closed !== null) throw this.#closed;
    const source = this.#parts.registry().sources.get(name);
    if (source === undefined) {
      const known = [...this.#parts.registry().sources.keys()].join(', ');
      throw new HeadraceError('unknown_source', `the registry has no source ${JSON.stringify(name)}; it has ${known}`);
    }
    const bytesMax = this.#parts.config.ingest_inflight_bytes_max;
    if (n > eventsMax) {
      throw new HeadraceError(
        'too_many',
        `${n} events in one request, the limit is ${eventsMax}; send several requests`,
      );
    }
    // A request is taken where nothing else is under way, however large it is: else it could never be taken.
    const bytes = n * (8 + 4 * source.keys.length + 8 * source.fields.length);
    if (bytes > 0 && this.#bytes > 0 && this.#bytes + bytes > bytesMax) {
      throw new HeadraceError(
        'overloaded',
        `${this.#bytes} bytes of events wait for the disk, the limit is ${bytesMax}`,
        {
          retryAfterMs: RETRY_AFTER_MS,
        },
      );
    }
    return source;
  }
}

function asError(error: unknown): HeadraceError {
  if (error instanceof HeadraceError) return error;
  throw error;
}

function bytesOf(batch: Batch): number {
  let bytes = batch.timestamps.byteLength;
  for (const column of [...batch.keys, ...batch.fields]) {
    if (column instanceof Float64Array) bytes += column.byteLength;
    else {
      bytes += column.codes.byteLength;
      for (const text of column.fresh) bytes += text.length * 2;
    }
  }
  return bytes;
}
