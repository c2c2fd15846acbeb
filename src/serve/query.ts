/** A request for features, checked at the edge and resolved against the registry. */
import type { Micros } from '../clock.ts';
import type { ErrorBody } from '../errors.ts';
import type { View } from '../registry/view.ts';
import type { Row } from '../values/row.ts';
import type { InputValue } from './request-inputs.ts';

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
  /** Absent where no feature of the request is wanted. */
  request?: RequestPart | undefined;
  /** Name of the feature service that was asked for, if one was. */
  service?: string | undefined;
  /** The view version is deprecated, from this ISO date. */
  deprecated?: string | undefined;
}

/** What is made for one request alone, from a row and what the request brings. */
export interface RequestPart {
  /** Indexes of the wanted features in `view.request`, in the order asked. */
  features: number[];
  /** Indexes of these and of what they are made of, each after what it refers to. */
  order: number[];
  /** In the order of the plan's inputs. */
  inputs: InputValue[];
  /** The engine's clock when it was asked; −Infinity where the request names a moment, which then is its time. */
  askedAt: Micros;
  /** Workers compute row and features together: the row is nobody else's. */
  fleet: boolean;
}

export type RowState = 'cached' | 'computed' | 'stale';

/** Takes the answer of each entity, in any order, each exactly once. */
export interface Collector {
  /** The row must be read during the call: its slab place may serve another entity later. */
  row(index: number, row: Row, state: RowState): void;
  failed(index: number, error: ErrorBody): void;
}
