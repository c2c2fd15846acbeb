/**
 * Columns as bytes: the one layout of event batches in the log, in frames to the workers and in the workers' answers.
 *
 * A block of columns is the columns one after the other, each starting at a multiple of 8 bytes from the start of the
 * block and the block ending at one (gaps are zero), all little-endian:
 *
 * | dtype | bytes                                            | null is                |
 * |-------|--------------------------------------------------|------------------------|
 * | `f8`  | n × float64                                      | NaN                    |
 * | `i8`  | n × int64                                        | the least int64        |
 * | `i4`  | n × int32                                        | −1 (dictionary codes)  |
 * | `u4`  | n × uint32                                       | –                      |
 * | `u1`  | n × uint8                                        | –                      |
 * | `str` | (n + 1) × int32 offsets, padded to 8, then UTF-8 | told by a validity column |
 *
 * The layout is not self-describing: names, dtypes and n stand in a schema or a frame's header, so that the bytes of
 * a log row go to the workers as they are. `python/headrace/wire/columns.py` is the twin; `test/vectors/columns.json` holds
 * both to the same bytes.
 *
 * In memory an `i8` column is a Float64Array whose NaN is the null: micros, positions and counts are exact up to 2⁵³.
 */
import { HeadraceError } from '../errors.ts';

export type Dtype = 'f8' | 'i8' | 'i4' | 'u4' | 'u1' | 'str';

/** Width of one value in bytes; `str` has none. */
export const DTYPE_BYTES = { f8: 8, i8: 8, i4: 4, u4: 4, u1: 1 } as const satisfies Record<
  Exclude<Dtype, 'str'>,
  number
>;

/** The null of an `i8` column. */
export const NULL_I8 = -(2n ** 63n);

export const pad8 = (bytes: number): number => (bytes + 7) & ~7;

/** One column to be written; a null text is written without bytes. */
export type Column =
  | { dtype: 'f8' | 'i8'; values: Float64Array }
  | { dtype: 'i4'; values: Int32Array }
  | { dtype: 'u4'; values: Uint32Array }
  | { dtype: 'u1'; values: Uint8Array }
  | { dtype: 'str'; values: readonly (string | null)[] };

const TWO_32 = 2 ** 32;
const NULL_HIGH = 0x8000_0000;

const utf8Encoder = new TextEncoder();
// A byte order mark inside an id is part of it.
const utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The bytes of a block of columns, in a buffer of its own that can be transferred. */
export function encodeColumns(columns: readonly Column[]): Uint8Array<ArrayBuffer> {
  const texts = columns.map((column) => (column.dtype === 'str' ? encodeTexts(column.values) : null));
  let size = 0;
  for (const [i, column] of columns.entries()) {
    size += texts[i]?.byteLength ?? pad8(column.values.length * DTYPE_BYTES[column.dtype as 'f8']);
  }
  const block = new Uint8Array(size);
  let at = 0;
  for (const [i, column] of columns.entries()) at += writeColumn(block, at, column, texts[i] ?? null);
  return block;
}

function writeColumn(block: Uint8Array<ArrayBuffer>, at: number, column: Column, texts: Uint8Array | null): number {
  if (column.dtype === 'str') {
    block.set(texts!, at);
    return texts!.byteLength;
  }
  const { dtype, values } = column;
  if (dtype === 'i8') writeI8(new Uint32Array(block.buffer, at, values.length * 2), values as Float64Array);
  else block.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
  return pad8(values.length * DTYPE_BYTES[dtype]);
}

/** Two words a value instead of a BigInt a value: this runs once for every event that comes in. */
function writeI8(words: Uint32Array, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const high = Math.floor(value / TWO_32);
    words[2 * i] = value - high * TWO_32; // NaN is stored as 0
    words[2 * i + 1] = Number.isNaN(value) ? NULL_HIGH : high;
  }
}

function encodeTexts(values: readonly (string | null)[]): Uint8Array {
  const offsets = new Int32Array(values.length + 1);
  const encoded = utf8Encoder.encode(values.map((value) => value ?? '').join(''));
  for (const [i, value] of values.entries()) {
    offsets[i + 1] = offsets[i]! + (value === null ? 0 : Buffer.byteLength(value, 'utf8'));
  }
  const start = pad8(offsets.byteLength);
  const bytes = new Uint8Array(start + pad8(encoded.length));
  bytes.set(new Uint8Array(offsets.buffer));
  bytes.set(encoded, start);
  return bytes;
}

/**
 * Reads a block column by column, in the order in which it was written.
 *
 * The bytes may start anywhere in their buffer. What is returned may share memory with them: copy what is kept.
 */
export class ColumnReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    // Views of 8-byte values need an aligned start; one copy of the block is cheaper than reading value by value.
    this.#bytes = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  }

  /** Bytes read so far: where the next column starts. */
  get offset(): number {
    return this.#at;
  }

  f8(n: number): Float64Array {
    const start = this.#take(n * 8);
    return new Float64Array(this.#bytes.buffer, start, n);
  }

  /** @returns whole numbers; NaN is null */
  i8(n: number): Float64Array<ArrayBuffer> {
    const start = this.#take(n * 8);
    const low = new Uint32Array(this.#bytes.buffer, start, n * 2);
    const high = new Int32Array(this.#bytes.buffer, start, n * 2);
    const values = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const word = high[2 * i + 1]!;
      const isNull = word === -0x8000_0000 && low[2 * i] === 0;
      values[i] = isNull ? Number.NaN : word * TWO_32 + low[2 * i]!;
    }
    return values;
  }

  i4(n: number): Int32Array {
    return new Int32Array(this.#bytes.buffer, this.#take(n * 4), n);
  }

  u4(n: number): Uint32Array {
    return new Uint32Array(this.#bytes.buffer, this.#take(n * 4), n);
  }

  u1(n: number): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#take(n), n);
  }

  str(n: number): string[] {
    const offsets = new Int32Array(this.#bytes.buffer, this.#take((n + 1) * 4), n + 1);
    const start = this.#take(offsets[n]!);
    const texts: string[] = [];
    for (let i = 0; i < n; i++) {
      texts.push(
        utf8Decoder.decode(new Uint8Array(this.#bytes.buffer, start + offsets[i]!, offsets[i + 1]! - offsets[i]!)),
      );
    }
    return texts;
  }

  /** @returns where the column's bytes start in the buffer */
  #take(bytes: number): number {
    const start = this.#at;
    if (!(bytes >= 0) || start + bytes > this.#bytes.byteLength) {
      throw new HeadraceError(
        'internal',
        `A block of columns is cut short: a column of ${bytes} bytes at ${start} does not fit into ${this.#bytes.byteLength} bytes.`,
      );
    }
    this.#at = start + pad8(bytes);
    return this.#bytes.byteOffset + start;
  }
}
