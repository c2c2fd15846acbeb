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

export type Aggregation =
  | 'count'
  | 'sum'
  | 'mean'
  | 'std'
  | 'var'
  | 'min'
  | 'max'
  | 'skew'
  | 'kurtosis'
  | 'first'
  | 'last'
  | 'missing_share'
  | 'share_where'
  | 'median'
  | 'quantile'
  | 'nunique'
  | 'mode'
  | 'entropy'
  | 'top_share';

export type SeriesFunction =
  | 'linear_regression'
  | 'ewma'
  | 'decayed_sum'
  | 'rate'
  | 'velocity'
  | 'acceleration'
  | 'autocorrelation'
  | 'time_since_last'
  | 'time_since_first'
  | 'duration'
  | 'mean_gap'
  | 'burst'
  | 'anomaly_score';

/**
 * Which events a feature of a source sees: those with `where`, in a span of time, of these the newest `rows`, of these
 * the last session.
 *
 * With `end = as_of − offset` the span lies from `end − time` to `end`, without its left end and with its right one
 * unless `closed` says otherwise. A session is a run of events of which each follows the one before by less than `gap`;
 * the last one is current where `end` follows its newest event by less than `gap`, else the window is empty.
 */
export interface Window {
  /** Microseconds; where the definition names no window, the source's retention less the offset. */
  time: Micros;
  rows?: number;
  /** Microseconds. */
  gap?: Micros;
  /** Absent: `right`. */
  closed?: 'left' | 'both' | 'neither';
  /** Microseconds; absent: 0. */
  offset?: Micros;
}

/**
 * A checked expression in prefix form: a number, a leaf below, or an operator and its arguments.
 *
 * - `['ref', feature]`: another feature of the version
 * - `['input', name]`: an input of the request
 * - `['now']`: the request's time
 * - `['field', name]`: a field of the event (in `where`)
 * - `['time']`: the event's timestamp (in `where`)
 * - `['text', value]`: a text, beside `==` or `!=` with a category or a text input
 * - `['hour_of_day', zone, time]`, `['day_of_week', …]` (Monday is 0), `['is_weekend', …]`, `['day_of_month', …]`,
 *   `['month', …]`: of a time in an IANA zone
 * - `['time_since', time]`: seconds from it to the request's time
 */
export type Expression =
  | number
  | ['ref' | 'input' | 'field' | 'text', string]
  | ['now' | 'time']
  | [CalendarFunction, string, Expression]
  | ['time_since', Expression]
  | [Operator, ...Expression[]];

export type CalendarFunction = 'hour_of_day' | 'day_of_week' | 'is_weekend' | 'day_of_month' | 'month';

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

export interface StatisticalFeature {
  name: string;
  type: 'statistical';
  output: OutputType;
  source: string;
  /** Absent for a count of events and for `share_where`. */
  field?: string;
  aggregation: Aggregation;
  window: Window;
  /** Leaves out the events for which it is not true; for `share_where`, what is counted among all. */
  where?: Expression;
  /** For `quantile` only, 0…1. */
  q?: number;
  /** For `top_share` only: the share of the events that have the rank-th most frequent value, 1…. */
  rank?: number;
  /** For `median` and `quantile`: the relative error that is allowed, 0.001…0.5; absent: exact. */
  approximate?: number;
}

export interface SeriesFeature {
  name: string;
  type: 'time_series';
  output: 'float64';
  source: string;
  /** Absent for functions of the events' times alone. */
  field?: string;
  function: SeriesFunction;
  window: Window;
  where?: Expression;
  /** For `linear_regression`; absent: `slope`. */
  result?: 'intercept' | 'r2';
  /** Microseconds. For `linear_regression`: x is time in this unit, from the window's first event; absent: the event's
   * number. For `rate`, `velocity`, `acceleration`: the unit of time; absent: a second. */
  per?: Micros;
  /** Microseconds; for `ewma` and `decayed_sum`. */
  half_life?: Micros;
  /** Microseconds; for `decayed_sum`, `time_since_last` and `time_since_first`: how often the value moves on. */
  step?: Micros;
  /** For `autocorrelation`: rows between the two. */
  lag?: number;
  /** Microseconds, less than the window; for `burst`: what counts as now. */
  recent?: Micros;
}

export interface ExpressionFeature {
  name: string;
  type: 'expression';
  output: 'float64' | 'bool';
  expression: Expression;
}

export interface PythonFeature {
  name: string;
  type: 'python';
  output: OutputType;
  source: string;
  window: Window;
  where?: Expression;
  /** `module:function`, the module in the registry's folder. */
  function: string;
  /** Which of the function's outputs; null where it has one. */
  result: string | null;
  /** SHA-256 of the source of the module and of all that it imports from the same folder, 16 hexadecimal digits. */
  digest: string;
  /** The columns of the DataFrame, in order, after `timestamp`. */
  fields: string[];
  /** Most time a call may take, in milliseconds. */
  timeout_ms: number;
}

/** A feature that the workers compute from events. */
export type PlanFeature = StatisticalFeature | SeriesFeature | ExpressionFeature | PythonFeature;

/** A feature that depends on the request: its inputs or its time. Never cached, pushed or sampled. */
export interface RequestFeature {
  name: string;
  output: OutputType;
  expression: Expression;
  /** `fleet` where it has an operator whose bits differ between V8 and NumPy (`log`, `exp`). */
  runs: 'main' | 'fleet';
}

export interface RequestInput {
  name: string;
  type: FieldType;
}

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
  /** What is made of the values above and of a request, each after what it refers to; absent where there is none. */
  request?: { inputs: RequestInput[]; features: RequestFeature[] };
}

/** One version of a view, ready to serve. */
export interface View {
  name: string;
  version: string;
  /** SHA-256 of the canonical JSON of `plan`, first 16 hexadecimal digits. */
  hash: string;
  plan: Plan;
  /** Names and types of the outputs, as in `plan.features`; `description` where the definition has one. Those of
   * `plan.request` stand in {@link request}, for no row holds them. */
  features: { name: string; output: OutputType; description?: string }[];
  /** Names and types of the features that depend on the request, as in `plan.request`. */
  request: { name: string; output: OutputType; description?: string }[];
  /** Inputs that are declared and that no feature of this version uses: a request may bring them all the same.
   * Absent: there are none. */
  unusedInputs?: RequestInput[];
  /** ISO date from which callers are warned; null: not deprecated. */
  deprecated: string | null;
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
  /** By name. */
  services: Map<string, FeatureService>;
  path: string;
  /** By view name, the versions that were served once and are no more; absent where nobody has looked. */
  removed?: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * A named list of features that one model takes. Its features are compiled into a view of its own, so that one row has
 * them all, of one moment: `view.name` is the service's, and of `view.features` the first `size` are the service's, in
 * the order listed and under the names listed; behind them stands what expressions among them need.
 */
export interface FeatureService {
  name: string;
  description: string;
  view: View;
  size: number;
}
