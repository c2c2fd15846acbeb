/**
 * A row: the feature values of one entity under one view version, with what makes them computable again.
 *
 * The numbers of a row lie side by side in a Float64 slab: {@link ROW_HEADER} header numbers, then one number a feature
 * (NaN is null; int64, bool and timestamp as numbers). Texts stand beside it.
 */
import type { Micros } from '../clock.ts';
import type { View } from '../registry/view.ts';

/** Places of the header numbers within a row. Times in microseconds; NaN where there is none. */
export const AS_OF = 0;
export const POSITION = 1;
export const REVISION = 2;
export const EVENT_TIME = 3;
export const COMPUTED_AT = 4;
export const VALID_UNTIL = 5;
export const ROW_HEADER = 6;

export interface Row {
  view: View;
  entityId: string;
  slab: Float64Array;
  /** Index of the row's first header number in the slab. */
  base: number;
  /** One place a feature, filled where its output is `string`; null for views without. */
  strings: (string | null)[] | null;
}

/** The rows of one computation as the fleet hands them over: one view, one moment. */
export interface ComputedBlock {
  view: View;
  asOf: number;
  position: number;
  n: number;
  entityIds: string[];
  /** The features of the plan's `request` stand behind its own in every row; computed for one request alone. */
  ofRequest?: true;
  /** n × (number of features), row after row; NaN is null. */
  values: Float64Array;
  /** Per feature a column of texts, or null where its output is no string; null where no output is. */
  strings: ((string | null)[] | null)[] | null;
  /** NaN: no row will ever enter or leave. */
  validUntil: Float64Array;
  /** NaN: no event inside. */
  eventTime: Float64Array;
}

/** Features a row of the block has. */
export const blockWidth = ({ view, ofRequest }: Pick<ComputedBlock, 'view' | 'ofRequest'>): number =>
  view.features.length + (ofRequest ? view.request.length : 0);

/** A row in which a call of Python took too long is valid for so long: `AGAIN_US` in `python_features.py`. */
const AGAIN: Micros = 1_000_000;

/**
 * Whether a row is past its `valid_until` and may not be given any more, its TTL aside: in an exact view, and where it
 * is null in part only since a call took too long, which another may not.
 */
export function isOver({ view, slab, base }: Row, now: Micros): boolean {
  const validUntil = slab[base + VALID_UNTIL]!;
  // NaN compares as false: such a row is valid until an event comes.
  if (!(now >= validUntil)) return false;
  return view.exact || (validUntil - slab[base + AS_OF]! <= AGAIN && view.plan.features.some(isPython));
}

const isPython = ({ type }: { type: string }): boolean => type === 'python';
