/**
 * What the log keeps of events and what travels with a commit.
 *
 * A row of the table `log` is one columnar batch of one source in arrival order. Its BLOB is a block of columns
 * (wire/columns.ts) of the row's schema: `@timestamp` (i8, microseconds), then `@ENTITY` (i4 codes) for each key of
 * the source, then its fields (float, int, bool, timestamp → f8; category → i4 codes).
 */
import type { Micros } from '../clock.ts';

/** One column of a schema. `dictionary` names the table of an i4 column's codes: `@ENTITY` or `SOURCE.FIELD`. */
export interface SchemaColumn {
  name: string;
  dtype: 'i8' | 'i4' | 'f8';
  dictionary?: string;
}

export interface SchemaSpec {
  source: string;
  columns: SchemaColumn[];
}

/** One event that was not taken, by its index in the request. */
export interface Rejection {
  index: number;
  code: import('../errors.ts').ErrorCode;
  message: string;
}

/** What makes a retry harmless. */
export interface BatchKey {
  producer: string;
  batch: string | number;
  /** Part of a long body; 0 where there is one part. */
  chunk: number;
}

/**
 * Codes into a dictionary. −1 is null; a code of −2 − k stands for `fresh[k]`, a value that the sender had no code
 * for: the log gives it one.
 */
export interface CodedColumn {
  codes: Int32Array<ArrayBuffer>;
  fresh: string[];
}

/** Events of one request, checked one by one (types, ids, times), still without place in the log. */
export interface Batch {
  /** The sender's number, echoed by the {@link Commit}. */
  id: number;
  source: string;
  n: number;
  /** Index of each row in the request, where some of the request's events were rejected; else null. */
  index: Int32Array<ArrayBuffer> | null;
  /** Microseconds. */
  timestamps: Float64Array<ArrayBuffer>;
  /** In the order of the source's keys. */
  keys: CodedColumn[];
  /** In the order of the source's fields: numbers (NaN is null), or codes for a category. */
  fields: (Float64Array<ArrayBuffer> | CodedColumn)[];
  rejected: Rejection[];
  key: BatchKey | null;
  /** The wall clock when it came. */
  wall: Micros;
}

/** What the producer is told, and is told again for a retry. */
export interface IngestAnswer {
  position: number;
  accepted: number;
  late: number;
  duplicate: number;
  rejected: Rejection[];
}

/** A batch as it stands in the log now. */
export interface AddedBatch {
  source: string;
  schema: number;
  n: number;
  /** Position of its last event; the first has `position − n + 1`. */
  position: number;
  /** The engine's clock after it. */
  clock: Micros;
  /** Newest timestamp in it, microseconds. */
  newest: Micros;
  /** The columns as in the log. */
  columns: ArrayBuffer;
  /** Indexes of late events, ascending; null where there is none. */
  late: number[] | null;
  /** For each key of the source: the distinct codes of its events that are not late. */
  touched: { entity: string; codes: Int32Array<ArrayBuffer> }[];
}

/** The outcome of one batch, told in log order once it is durable. */
export interface Commit {
  id: number;
  answer: IngestAnswer | null;
  /** Where the batch was refused as a whole or could not be written. */
  error: { code: import('../errors.ts').ErrorCode; message: string } | null;
  /** Null for duplicates, errors, and where every event was rejected. */
  added: AddedBatch | null;
}

/** New entries of a dictionary: `values[i]` has the code `from + i`. */
export interface DictionaryDelta {
  name: string;
  from: number;
  values: string[];
}

/** All that one transaction wrote. */
export interface CommitGroup {
  commits: Commit[];
  dictionaries: DictionaryDelta[];
  /** Durable head of the log after it. */
  position: number;
  /** Duration of the transaction with its fsync. */
  commit_ms: number;
}
