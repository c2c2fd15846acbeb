/**
 * The compiled registry: what every other room knows of `features.yaml`.
 *
 * A {@link Plan} is the part of a view version that decides its values and nothing else; it goes to the Python workers
 * as it is, and its SHA-256 is the definition hash.
 */
import type { Micros } from '../clock.ts';

export type FieldType = 'float' | 'int' | 'bool' | 'category' | 'timestamp';

/** What a feature's value is; `null` (no value) is always possible and told by a validity bit. */
export type OutputType = 'float64' | 'int64' | 'bool' | 'string' | 'timestamp';

export interface Field {
  name: string;
  type: FieldType;
}

/** How an event's entity id of one entity is made: the text parts around the named columns. */
export interface SourceKey {
  entity: string;
  /** Alternating literal text and column names: `"{origin}-{destination}"` is `['', 'origin', '-', 'destination', '']`. */
  template: string[];
}

export interface Source {
  name: string;
  keys: SourceKey[];
  /** The event's column that holds its time. */
  timestamp: string;
  fields: Field[];
  /** All in microseconds. */
  lateness: Micros;
  maxAhead: Micros;
  retention: Micros;
  history: Micros;
}

export type Aggregation = 'count' | 'sum' | 'mean' | 'std' | 'min' | 'max' | 'median' | 'quantile' | 'last';

/** A checked expression, in prefix form: a number, a feature's name in `['ref', name]`, or an operator and its arguments. */
export type Expression = number | ['ref', string] | [Operator, ...Expression[]];

export type Operator =
  | 'neg'
  | '+'
  | '-'
  | '*'
  | '/'
  | '<'
  | '<='
  | '>'
  | '>='
  | '=='
  | '!='
  | 'and'
  | 'or'
  | 'not'
  | 'min'
  | 'max'
  | 'abs'
  | 'log'
  | 'exp'
  | 'sqrt'
  | 'where'
  | 'coalesce';

export type PlanFeature =
  | {
      name: string;
      type: 'statistical';
      output: OutputType;
      source: string;
      /** Absent for a count of rows. */
      field?: string;
      aggregation: Aggregation;
      /** Microseconds; where the definition names no window, the source's retention. */
      window: Micros;
      /** For `quantile` only, 0…1. */
      q?: number;
    }
  | {
      name: string;
      type: 'time_series';
      output: 'float64';
      source: string;
      field: string;
      function: 'linear_regression';
      window: Micros;
    }
  | { name: string; type: 'expression'; output: 'float64' | 'bool'; expression: Expression };

/** The part of a source that decides values. */
export interface PlanSource {
  name: string;
  template: string[];
  timestamp: string;
  /** Fields that the features use, with their types. */
  fields: Field[];
  retention: Micros;
}

export interface Plan {
  entity: string;
  sources: PlanSource[];
  /** In the order in which they are declared; an expression may refer to any other, without circles. */
  features: PlanFeature[];
  /** Indexes into `features`, in an order in which each expression follows what it refers to. */
  order: number[];
}

/** One version of a view, ready to serve. */
export interface View {
  name: string;
  version: string;
  /** SHA-256 of the canonical JSON of `plan`, first 16 hexadecimal digits. */
  hash: string;
  plan: Plan;
  /** Names and types of the outputs, as in `plan.features`; `description` where the definition has one. */
  features: { name: string; output: OutputType; description?: string }[];
  /** Microseconds on the engine's clock. */
  ttl: Micros;
  /** A hit must equal a fresh computation: past its `valid_until` a row counts as expired. */
  exact: boolean;
  updateAgeOnGet: boolean;
  /** Serve a row past its TTL (never a dirty one) and renew it behind the answer, for this long; 0 is off. */
  staleWhileRevalidate: Micros;
  /** The shortest `history` of its sources, in microseconds: how far back `as_of` may lie. */
  history: Micros;
  description: string;
}

export interface Registry {
  project: string;
  clock: { mode: 'wall' | 'event' /** Sources that move an event clock; null: all. */; sources: string[] | null };
  entities: Map<string, { description: string }>;
  sources: Map<string, Source>;
  /** By view name; the versions in the order in which they are listed. */
  views: Map<string, View[]>;
  path: string;
}
