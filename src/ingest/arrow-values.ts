/** The values of one Arrow column as plain numbers and texts, without an object an event. */
import { isAscii } from 'node:buffer';
import { type Data, DataType, DateUnit, TimeUnit } from 'apache-arrow';
import { HeadraceError } from '../errors.ts';

type Numbers = Float64Array<ArrayBuffer>;

const TWO_32 = 4_294_967_296;
const DAY_US = 86_400_000_000;
const HALF_PRECISION = 0;

export type Kind = 'null' | 'text' | 'bool' | 'int' | 'float' | 'time' | 'other';

/** What can be read from a column; a dictionary is what its values are. */
export function kindOf(data: Data): Kind {
  const type = DataType.isDictionary(data.type) ? data.type.dictionary : data.type;
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return 'text';
  // Dictionaries of anything but texts are too rare to be read.
  if (type !== data.type) return 'other';
  if (DataType.isNull(type)) return 'null';
  if (DataType.isBool(type)) return 'bool';
  if (DataType.isInt(type)) return 'int';
  if (DataType.isFloat(type)) return type.precision === HALF_PRECISION ? 'other' : 'float';
  return DataType.isTimestamp(type) || DataType.isDate(type) ? 'time' : 'other';
}

/** Tells which of the first n values are there; null where all are. */
export function validity(data: Data, n: number): Uint8Array | null {
  if (data.nullCount === 0) return null;
  const bitmap = data.nullBitmap ?? new Uint8Array();
  return bits(bitmap, data.offset, n);
}

/** The numbers of an `int`, `float` or `bool` column; what stands at nulls means nothing. */
export function numbersOf(data: Data, n: number): Numbers {
  if (DataType.isBool(data.type)) return Float64Array.from(bits(stored(data, Math.ceil(n / 8)), data.offset, n));
  const values = stored(data, n);
  const numbers = new Float64Array(n);
  if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) {
    numbers.set(values.subarray(0, n) as ArrayLike<number> as Numbers);
    return numbers;
  }
  const { low, high } = words(values);
  const signed = values instanceof BigInt64Array;
  for (let i = 0; i < n; i++) {
    const upper = high[2 * i]!;
    numbers[i] = (signed ? upper : upper >>> 0) * TWO_32 + low[2 * i]!;
  }
  return numbers;
}

/** Microseconds of a `time` column, cut down to whole ones; what stands at nulls means nothing. */
export function microsOf(data: Data, n: number): Numbers {
  const { type } = data;
  if (DataType.isDate(type) && type.unit === DateUnit.DAY) {
    const days = stored(data, n) as Int32Array;
    return Float64Array.from({ length: n }, (_, i) => days[i]! * DAY_US);
  }
  const unit = DataType.isTimestamp(type) ? type.unit : TimeUnit.MILLISECOND;
  const { low, high } = words(stored(data, n) as BigInt64Array);
  const micros = new Float64Array(n);
  if (unit === TimeUnit.NANOSECOND) {
    // Nanoseconds of today need 61 bits: divided in two steps, each exact. 2^32 is 1000 × 4294967 + 296.
    for (let i = 0; i < n; i++) {
      micros[i] = high[2 * i]! * 4_294_967 + Math.floor((high[2 * i]! * 296 + low[2 * i]!) / 1000);
    }
    return micros;
  }
  const factor = unit === TimeUnit.SECOND ? 1e6 : unit === TimeUnit.MILLISECOND ? 1e3 : 1;
  for (let i = 0; i < n; i++) micros[i] = (high[2 * i]! * TWO_32 + low[2 * i]!) * factor;
  return micros;
}

/** For each of the first n values of a dictionary column its place in `values`, −1 for null. */
export function dictionaryOf(data: Data, n: number): { places: Int32Array<ArrayBuffer>; values: (string | null)[] } {
  const values = data.dictionary?.data.flatMap((chunk: Data) => textsOf(chunk, chunk.length)) ?? [];
  const indices = stored(data, n);
  const places = new Int32Array(n);
  if (indices instanceof BigInt64Array || indices instanceof BigUint64Array) {
    for (let i = 0; i < n; i++) places[i] = Number(indices[i]);
  } else places.set(indices.subarray(0, n));
  const valid = validity(data, n);
  const count = values.length;
  for (let i = 0; i < n; i++) {
    if (valid !== null && valid[i] === 0) places[i] = -1;
    else if (places[i]! < 0 || places[i]! >= count) throw tooShort(data, 'points past its dictionary');
  }
  return { places, values };
}

/** The texts of a `text` column that is no dictionary. */
export function textsOf(data: Data, n: number): (string | null)[] {
  const out = new Array<string | null>(n).fill(null);
  if (n === 0) return out;
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  if (offsets.length <= n) throw tooShort(data, 'has too few offsets');
  const from = Number(offsets[0]);
  const bytes = (data.values as Uint8Array).subarray(from, Number(offsets[n]));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // One text for all of them and its parts, where a byte is a character; else each is decoded by itself.
  const all = isAscii(bytes) ? buffer.toString('latin1') : null;
  const valid = validity(data, n);
  for (let i = 0; i < n; i++) {
    if (valid !== null && valid[i] === 0) continue;
    const start = Number(offsets[i]) - from;
    const end = Number(offsets[i + 1]) - from;
    out[i] = all === null ? buffer.toString('utf8', start, end) : all.slice(start, end);
  }
  return out;
}

type Stored = Float64Array | Float32Array | Int32Array | BigInt64Array | BigUint64Array | Uint8Array;

/** The values as they stand, at least n of them. */
function stored(data: Data, n: number): Stored {
  const values = data.values as Stored | undefined;
  if (values === undefined || values.length < n) throw tooShort(data, 'has fewer values than the table has rows');
  return values;
}

function tooShort(data: Data, what: string): HeadraceError {
  return new HeadraceError('bad_request', `the Arrow table is damaged: a column of type ${data.type} ${what}`);
}

/** The two halves of 64-bit integers, each at every second place: little-endian, as Arrow has them. */
function words(values: BigInt64Array | BigUint64Array): { low: Uint32Array; high: Int32Array } {
  const { buffer, byteOffset, length } = values;
  return {
    low: new Uint32Array(buffer, byteOffset, 2 * length),
    high: new Int32Array(buffer, byteOffset + 4, Math.max(0, 2 * length - 1)),
  };
}

function bits(bytes: ArrayLike<unknown>, offset: number, n: number): Uint8Array {
  const out = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    const at = offset + i;
    out[i] = ((bytes[at >> 3] as number) >> (at & 7)) & 1;
  }
  return out;
}
