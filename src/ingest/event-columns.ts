import type { Field } from '../registry/view.ts';
import type { Rejections } from './rejections.ts';

/** A column of values that become texts, by its distinct values, so that each is checked and looked up once. */
export interface Distinct {
  /** For each event its place in `values`, −1 where it has none; null: event `i` has `values[i]`. */
  places: Int32Array<ArrayBuffer> | null;
  values: ArrayLike<unknown>;
}

/** The events of one request by column, however they came; events that have a problem are noted as rejected. */
export interface EventColumns {
  readonly n: number;
  /** Null where the request has no such column. */
  distinct(name: string): Distinct | null;
  /** Microseconds; what stands at rejected events means nothing. */
  times(name: string, rejections: Rejections): Float64Array<ArrayBuffer>;
  /** The numbers of a field that is no category; NaN is null. */
  numbers(field: Field, rejections: Rejections): Float64Array<ArrayBuffer>;
}
