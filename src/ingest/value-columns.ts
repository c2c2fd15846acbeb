import { HeadraceError } from '../errors.ts';
import type { Field } from '../registry/view.ts';
import type { Distinct, EventColumns } from './event-columns.ts';
import type { Rejections } from './rejections.ts';
import { fieldValue, shown, timeValue } from './scalars.ts';

type Values = ArrayLike<unknown>;

/** Events of JSON or MessagePack, as objects or by column. */
export class ValueColumns implements EventColumns {
  readonly n: number;
  readonly #read: (name: string) => Values | null;

  private constructor(n: number, read: (name: string) => Values | null) {
    this.n = n;
    this.#read = read;
  }

  /** Notes what is no object as rejected. */
  static ofRows(events: readonly unknown[], rejections: Rejections): ValueColumns {
    const objects = new Array<Record<string, unknown>>(events.length);
    for (let i = 0; i < events.length; i++) {
      const event = events[i];
      if (typeof event === 'object' && event !== null && !Array.isArray(event)) {
        objects[i] = event as Record<string, unknown>;
      } else {
        rejections.add(i, 'not_an_object', `an event is an object of the source's columns, not ${shown(event)}`);
        objects[i] = {};
      }
    }
    return new ValueColumns(events.length, (name) => {
      // Names such as `constructor` would be found on every object.
      if (name in Object.prototype) return objects.map((event) => (Object.hasOwn(event, name) ? event[name] : null));
      const values = new Array<unknown>(objects.length);
      for (let i = 0; i < objects.length; i++) values[i] = objects[i]![name];
      return values;
    });
  }

  /** Throws `bad_request` where the columns are not arrays of one length. */
  static ofColumns(columns: Readonly<Record<string, unknown>>): ValueColumns {
    let n = -1;
    for (const [name, values] of Object.entries(columns)) {
      if (!Array.isArray(values)) {
        throw new HeadraceError('bad_request', `column ${JSON.stringify(name)} is ${shown(values)}, expected an array`);
      }
      if (n >= 0 && values.length !== n) {
        const found = `column ${JSON.stringify(name)} has ${values.length} values, another has ${n}`;
        throw new HeadraceError('bad_request', `${found}; all columns have one value an event`);
      }
      n = values.length;
    }
    return new ValueColumns(Math.max(n, 0), (name) => {
      return Object.hasOwn(columns, name) ? (columns[name] as unknown[]) : null;
    });
  }

  distinct(name: string): Distinct | null {
    const values = this.#read(name);
    return values === null ? null : { places: null, values };
  }

  times(name: string, rejections: Rejections): Float64Array<ArrayBuffer> {
    const times = new Float64Array(this.n);
    const values = this.#read(name);
    for (let i = 0; i < this.n; i++) {
      const value = values === null ? null : values[i];
      if (value === null || value === undefined) {
        rejections.add(i, 'missing_timestamp', `the event has no ${name}, the column of its time`);
        continue;
      }
      const time = timeValue(value);
      if (typeof time === 'number') times[i] = time;
      else rejections.add(i, time.code, `${name}: ${time.message}`);
    }
    return times;
  }

  numbers(field: Field, rejections: Rejections): Float64Array<ArrayBuffer> {
    const numbers = new Float64Array(this.n);
    const values = this.#read(field.name);
    if (values === null) return numbers.fill(Number.NaN);
    for (let i = 0; i < this.n; i++) {
      const number = fieldValue(field, values[i]);
      if (typeof number === 'number') numbers[i] = number;
      else rejections.add(i, number.code, number.message);
    }
    return numbers;
  }
}
