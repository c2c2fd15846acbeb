import type { Data, RecordBatch } from 'apache-arrow';
import { DataType } from 'apache-arrow';
import { HeadraceError } from '../errors.ts';
import type { Field } from '../registry/view.ts';
import { dictionaryOf, type Kind, kindOf, microsOf, numbersOf, textsOf, validity } from './arrow-values.ts';
import type { Distinct, EventColumns } from './event-columns.ts';
import type { Problem, Rejections } from './rejections.ts';
import { EXPECTED, fieldNumber, fieldText, timeText, timeValue } from './scalars.ts';

/** The column in which a reader of files says of a line why it cannot be read. */
const ERROR_COLUMN = '@error';

type Numbers = Float64Array<ArrayBuffer>;

/** How the values of one column become numbers; what each read gives is a number, or why there is none. */
interface Reading {
  /** Null: the column may not hold numbers. */
  ofNumber: ((value: number) => number | Problem) | null;
  ofBool: boolean;
  ofTime: boolean;
  ofText: (text: string) => number | Problem;
  expected: string;
  problem: (i: number, problem: Problem) => void;
}

/**
 * Events of one Arrow record batch. What is done for each event is done in typed arrays; texts are decoded and looked up
 * once for each distinct value.
 */
export class ArrowColumns implements EventColumns {
  readonly n: number;
  readonly #batch: RecordBatch;
  readonly #distinct = new Map<string, Distinct | null>();

  /** Notes lines that could not be read as rejected. */
  constructor(batch: RecordBatch, rejections: Rejections) {
    this.n = batch.numRows;
    this.#batch = batch;
    const errors = this.distinct(ERROR_COLUMN);
    if (errors === null) return;
    for (let i = 0; i < this.n; i++) {
      const why = errors.values[errors.places![i]!];
      if (typeof why === 'string') rejections.add(i, 'malformed_json', why);
    }
  }

  distinct(name: string): Distinct | null {
    // A column may be in several keys and a field at once.
    let distinct = this.#distinct.get(name);
    if (distinct === undefined) {
      distinct = this.#readDistinct(name);
      this.#distinct.set(name, distinct);
    }
    return distinct;
  }

  #readDistinct(name: string): Distinct | null {
    const data = this.#data(name);
    if (data === null) return null;
    switch (kindOf(data)) {
      case 'null':
        return null;
      case 'text':
        if (DataType.isDictionary(data.type)) return dictionaryOf(data, this.n);
        return byValue(textsOf(data, this.n), null);
      case 'int':
      case 'float':
        return byValue(numbersOf(data, this.n), validity(data, this.n));
      case 'bool':
        return byValue(
          Array.from(numbersOf(data, this.n), (value) => value === 1),
          validity(data, this.n),
        );
      default:
        throw unusable(name, data, 'text or whole numbers');
    }
  }

  times(name: string, rejections: Rejections): Numbers {
    const times = this.#numbers(name, {
      ofNumber: timeValue,
      ofBool: false,
      ofTime: true,
      ofText: timeText,
      expected: 'timestamps, dates, ISO 8601 text or epoch milliseconds',
      problem: (i, { code, message }) => rejections.add(i, code, `${name}: ${message}`),
    });
    for (let i = 0; i < this.n; i++) {
      if (Number.isNaN(times[i])) {
        rejections.add(i, 'missing_timestamp', `the event has no ${name}, the column of its time`);
      }
    }
    return times;
  }

  numbers(field: Field, rejections: Rejections): Numbers {
    const { type } = field;
    return this.#numbers(field.name, {
      ofNumber: type === 'bool' ? null : (value) => fieldNumber(field, value),
      ofBool: type === 'bool',
      ofTime: type === 'timestamp',
      ofText: (text) => fieldText(field, text),
      expected: EXPECTED[type],
      problem: (i, { code, message }) => rejections.add(i, code, message),
    });
  }

  /** The column as numbers; NaN for null. */
  #numbers(name: string, reading: Reading): Numbers {
    const data = this.#data(name);
    if (data === null) return new Float64Array(this.n).fill(Number.NaN);
    const kind: Kind = kindOf(data);
    if (kind === 'null') return new Float64Array(this.n).fill(Number.NaN);
    if (kind === 'text') return this.#ofTexts(this.distinct(name)!, reading);

    const valid = validity(data, this.n);
    if (kind === 'time' && reading.ofTime) return this.#checked(microsOf(data, this.n), valid, wholeMicros, reading);
    if (kind === 'bool' && reading.ofBool) return this.#checked(numbersOf(data, this.n), valid, null, reading);
    if ((kind === 'int' || kind === 'float') && reading.ofNumber !== null) {
      return this.#checked(numbersOf(data, this.n), valid, reading.ofNumber, reading);
    }
    throw unusable(name, data, reading.expected);
  }

  /** Checks numbers in place. */
  #checked(
    numbers: Numbers,
    valid: Uint8Array | null,
    check: ((value: number) => number | Problem) | null,
    reading: Reading,
  ): Numbers {
    for (let i = 0; i < this.n; i++) {
      if (valid !== null && valid[i] === 0) numbers[i] = Number.NaN;
      else if (check !== null) {
        const number = check(numbers[i]!);
        if (typeof number === 'number') numbers[i] = number;
        else {
          numbers[i] = 0;
          reading.problem(i, number);
        }
      }
    }
    return numbers;
  }

  #ofTexts({ places, values }: Distinct, reading: Reading): Numbers {
    const parsed = Array.from(values, (value) => (typeof value === 'string' ? reading.ofText(value) : Number.NaN));
    const numbers = new Float64Array(this.n).fill(Number.NaN);
    for (let i = 0; i < this.n; i++) {
      const place = places![i]!;
      if (place < 0) continue;
      const number = parsed[place]!;
      if (typeof number === 'number') numbers[i] = number;
      else {
        numbers[i] = 0;
        reading.problem(i, number);
      }
    }
    return numbers;
  }

  #data(name: string): Data | null {
    const place = this.#batch.schema.fields.findIndex((field) => field.name === name);
    const data = this.#batch.data.children[place];
    return data === undefined ? null : data;
  }
}

function wholeMicros(micros: number): number | Problem {
  if (Number.isSafeInteger(micros)) return micros;
  return { code: 'invalid_time', message: 'years from 1684 to 2255 can be told to the microsecond' };
}

function unusable(name: string, data: Data, expected: string): HeadraceError {
  const found = `column ${JSON.stringify(name)} of the table is of type ${data.type}`;
  return new HeadraceError('bad_request', `${found}, expected ${expected}`);
}

/** @param valid null: values that are null are told by themselves */
function byValue(column: ArrayLike<unknown>, valid: Uint8Array | null): Distinct {
  const n = column.length;
  const places = new Int32Array(n);
  const values: unknown[] = [];
  const known = new Map<unknown, number>();
  for (let i = 0; i < n; i++) {
    const value = column[i];
    if (value === null || (valid !== null && valid[i] === 0)) {
      places[i] = -1;
      continue;
    }
    let place = known.get(value);
    if (place === undefined) {
      place = values.push(value) - 1;
      known.set(value, place);
    }
    places[i] = place;
  }
  return { places, values };
}
