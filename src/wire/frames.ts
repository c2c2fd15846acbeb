/**
 * Frames between the engine and its Python workers, one ZeroMQ message part each.
 *
 * ```
 * byte 0      frame type (FRAME below)
 * byte 1      wire version (WIRE_VERSION)
 * byte 2–3    zero
 * byte 4–7    header length H, uint32 little-endian
 * 8 … 8+H     header: a MessagePack map
 * … pad to 8  zeros
 * body        blocks of columns (see columns.ts), each starting at a multiple of 8 from the start of the frame
 * ```
 *
 * Times are microseconds, positions whole numbers; MessagePack may carry either as an integer or as a float64 with a
 * whole value, and both sides take both. `python/headrace/wire/frames.py` is the twin; `test/vectors/frames.json` holds both
 * to the same bytes.
 */
import { Packr } from 'msgpackr';
import { HeadraceError } from '../errors.ts';
import { pad8 } from './columns.ts';

export const WIRE_VERSION = 1;

export const FRAME = {
  /** worker → engine, first: {@link HelloHeader} */
  hello: 1,
  /** engine → worker, the whole registry as the worker needs it: {@link ReloadHeader} */
  reload: 2,
  /** engine → worker, the whole set of shards that the worker owns from now on: {@link AssignHeader} */
  assign: 3,
  /** worker → engine, all assigned shards are loaded: {@link ReadyHeader} */
  ready: 4,
  /** engine → worker, new events and what to compute right after them: {@link WorkHeader} */
  apply: 5,
  /** engine → worker, what to compute: {@link WorkHeader} without batches */
  compute: 6,
  /** worker → engine, the answer to one apply or compute: {@link ValuesHeader} */
  values: 7,
  /** worker → engine, sent while loading, so that a long assignment does not look hung: {@link BeatHeader} */
  beat: 8,
  /** worker → engine, an apply or compute that failed as a whole: {@link ErrorHeader} */
  error: 9,
  /** engine → worker, no more work comes: answer what is there and exit with 0. Empty header. */
  drain: 10,
} as const;

export type FrameType = keyof typeof FRAME;

export interface HelloHeader {
  pid: number;
  python: string;
  numpy: string;
}

export interface ReloadHeader {
  /** By definition hash. */
  plans: Record<string, import('../registry/view.ts').Plan>;
  /** By schema id: the columns of a batch in order, as the log's `schemas` table has them. */
  schemas: Record<string, import('../store/log-row.ts').SchemaSpec>;
  /** The registry's folder, where the modules of Python features lie. */
  folder: string;
}

export interface AssignHeader {
  /** Path of the log's SQLite file; the worker reads it, never writes. */
  log: string;
  /** Read the log up to and including this position. */
  position: number;
  /** Number of virtual shards; the shard of an entity code is `code mod shard_count`. */
  shard_count: number;
  /** Pairs [shard, lease]. Shards owned before and not listed are dropped; those owned already keep their rows. */
  shards: [number, number][];
}

export interface ReadyHeader {
  position: number;
  /** Rows in memory, over all shards and keys. */
  rows: number;
  load_ms: number;
}

export interface BatchHeader {
  schema: number;
  /** Position of the batch's last event. */
  position: number;
  n: number;
  /** Indexes (within the batch) of late events, which the worker leaves out; absent where there is none. */
  late?: number[];
}

/** One request to compute: a view for some entities at one moment. */
export interface GroupHeader {
  hash: string;
  /** Window end, microseconds. */
  as_of: number;
  /** Use events up to this position; null: all that the worker has applied after this frame. */
  position: number | null;
  n: number;
  /**
   * Bytes of the block that follows the group's codes, of n values a column: `@now` i8 (the request's time), then each
   * input of the plan's `request`: f8 (NaN is null; true is 1; a time in microseconds), or str with its validity u1 for a
   * category. The answer's block has the features of `plan.request` behind those of the plan. Absent: no such block.
   */
  request?: number;
}

/**
 * Body of an apply: the blocks of its batches, one after the other in the order of `batches`; then, as in a compute,
 * one `i4` column of entity codes a group (code −1: an entity that has no events).
 */
export interface WorkHeader {
  /** Echoed by the answer. */
  id: number;
  /** The position before the first batch. Batches at or below the worker's own position are ignored; where `previous`
   * lies beyond it, the worker reads the log up to `position` first. In a compute `previous` equals `position`. */
  previous: number;
  position: number;
  batches?: BatchHeader[];
  /** New entries of category dictionaries since the frame before: values get the codes from, from + 1, … */
  dictionaries?: { name: string; from: number; values: string[] }[];
  groups: GroupHeader[];
}

/**
 * Body: for each group without `error`, one block of columns, in this order and each of n values:
 * `code` i4, `lease` u4 (0: the worker does not own the entity's shard, the row's values mean nothing), `valid_until` i8
 * (null: no row will ever enter or leave), `event_time` i8 (newest event inside the value; null: none); then for each
 * feature of the plan, in plan order, its values (float64 → f8, int64 and timestamp → i8, bool → u1, string → str) and
 * its validity (u1: 1 has a value, 0 is null; a null's place in the value column holds 0, NaN, or no bytes).
 * Rows stand in the order in which they were asked.
 */
export interface ValuesHeader {
  id: number;
  /** All events up to here are applied. */
  position: number;
  took_us: number;
  groups: ValuesGroup[];
}

export interface ValuesGroup {
  hash: string;
  as_of: number;
  position: number;
  n: number;
  /** Nothing could be computed. */
  error?: { code: string; message: string };
  /** Python features that failed, and are null, in some rows; absent where none did. */
  failures?: FeatureFailure[];
}

/** What went wrong in a Python feature. */
export interface FeatureFailure {
  /** Index in the plan's features. */
  feature: number;
  /** In how many rows. */
  rows: number;
  /** Of the first: `raised`, `timed_out` or `wrong_output`. */
  reason: 'raised' | 'timed_out' | 'wrong_output';
  /** Place and sentence, such as `delays.py:12, late_share: ZeroDivisionError: division by zero`. */
  message: string;
}

export interface BeatHeader {
  /** Events read so far and in all, of the assignment under way. */
  loaded: number;
  total: number;
}

export interface ErrorHeader {
  id: number;
  code: string;
  message: string;
}

/** What each type of frame carries in its header. */
export interface FrameHeaders {
  hello: HelloHeader;
  reload: ReloadHeader;
  assign: AssignHeader;
  ready: ReadyHeader;
  apply: WorkHeader;
  compute: WorkHeader;
  values: ValuesHeader;
  beat: BeatHeader;
  error: ErrorHeader;
  drain: Record<string, never>;
}

/** A frame taken apart. `body` shares memory with the bytes it came from. */
export type Frame = { [T in FrameType]: { type: T; header: FrameHeaders[T]; body: Uint8Array } }[FrameType];

const PREFIX_BYTES = 8;
const TYPES = new Map<number, FrameType>(Object.entries(FRAME).map(([type, byte]) => [byte, type as FrameType]));

// Plain maps only (Python reads no msgpackr records); 64-bit integers come back as numbers.
const packr = new Packr({ useRecords: false, int64AsType: 'number', variableMapSize: true });

/**
 * The bytes of one frame.
 * @param blocks blocks of columns; each is padded to a multiple of 8 bytes
 */
export function encodeFrame<T extends FrameType>(
  type: T,
  header: FrameHeaders[T],
  blocks: readonly Uint8Array[] = [],
): Uint8Array<ArrayBuffer> {
  const packed = packr.pack(header);
  const bodyStart = pad8(PREFIX_BYTES + packed.length);
  let size = bodyStart;
  for (const block of blocks) size += pad8(block.byteLength);
  const frame = new Uint8Array(size);
  frame[0] = FRAME[type];
  frame[1] = WIRE_VERSION;
  new DataView(frame.buffer).setUint32(4, packed.length, true);
  frame.set(packed, PREFIX_BYTES);
  let at = bodyStart;
  for (const block of blocks) {
    frame.set(block, at);
    at += pad8(block.byteLength);
  }
  return frame;
}

/** @throws HeadraceError `internal` where the bytes are no frame of this version */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.byteLength < PREFIX_BYTES) throw broken(`it has ${bytes.byteLength} bytes, fewer than its prefix`);
  const type = TYPES.get(bytes[0]!);
  if (bytes[1] !== WIRE_VERSION) throw broken(`it has wire version ${bytes[1]} where ${WIRE_VERSION} is spoken`);
  if (type === undefined) throw broken(`${bytes[0]} is no type of frame`);
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  const headerEnd = PREFIX_BYTES + headerBytes;
  if (headerEnd > bytes.byteLength) throw broken(`its header of ${headerBytes} bytes is cut short`);
  const header: unknown = unpack(bytes.subarray(PREFIX_BYTES, headerEnd));
  return { type, header, body: bytes.subarray(Math.min(pad8(headerEnd), bytes.byteLength)) } as Frame;
}

function unpack(bytes: Uint8Array): object {
  let header: unknown;
  try {
    header = packr.unpack(bytes);
  } catch (cause) {
    throw broken('its header is not MessagePack', cause);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw broken('its header is not a map');
  return header;
}

function broken(why: string, cause?: unknown): HeadraceError {
  return new HeadraceError('internal', `A frame between engine and worker cannot be read: ${why}.`, { cause });
}
