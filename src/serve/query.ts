/** A request for features, checked at the edge and resolved against the registry. */
import type { Micros } from '../clock.ts';
import type { ErrorBody } from '../errors.ts';
import type { View } from '../registry/view.ts';
import type { Row } from '../values/row.ts';

export interface Query {
  view: View;
  /** Indexes of the wanted features in the view; null: all, in declared order. */
  select: number[] | null;
  entityIds: string[];
  timeoutMs: number;
  /** Null: now. */
  asOf: Micros | null;
  /** Null: everything known now. */
  position: number | null;
  /** Answer with at least this much of the log applied; 0: any. */
  minPosition: number;
}

export type RowState = 'cached' | 'computed' | 'stale';

/** Takes the answer of each entity, in any order, each exactly once. */
export interface Collector {
  /** The row must be read during the call: its slab place may serve another entity later. */
  row(index: number, row: Row, state: RowState): void;
  failed(index: number, error: ErrorBody): void;
}
