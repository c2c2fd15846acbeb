/**
 * The words of `features.yaml`: which keys each map takes, and which belong to later versions of Headrace.
 * docs/FEATURES.md is held to these lists by a test.
 */
import type { Aggregation, CalendarFunction, FieldType, Operator, SeriesFeature, SeriesFunction } from './view.ts';

export interface Grammar {
  /** As in "a source". */
  noun: string;
  required: readonly string[];
  optional: readonly string[];
  /** Designed, but not offered by this version: refused in other words than a misspelling. */
  later: readonly string[];
}

/** Which events a feature of a source sees. */
const WINDOW_KEYS = ['source', 'window', 'windows', 'rows', 'gap', 'closed', 'offset', 'where'] as const;

export const GRAMMAR = {
  registry: {
    noun: 'the registry',
    required: ['project', 'entities', 'sources', 'views'],
    optional: ['clock'],
    later: ['services', 'alerts', 'defaults', 'features', 'drift'],
  },
  clock: { noun: 'the clock', required: ['mode'], optional: ['sources'], later: [] },
  entity: { noun: 'an entity', required: [], optional: ['description'], later: [] },
  source: {
    noun: 'a source',
    required: ['keys', 'timestamp'],
    optional: ['fields', 'lateness', 'max_ahead', 'retention', 'history'],
    later: ['id'],
  },
  view: {
    noun: 'a view',
    required: ['entity', 'versions'],
    optional: ['description', 'request', 'ttl', 'exact', 'update_age_on_get', 'stale_while_revalidate'],
    later: ['defaults', 'default', 'features', 'alerts', 'drift'],
  },
  version: {
    noun: 'a version',
    required: [],
    optional: ['features', 'extends'],
    later: ['deprecated', 'defaults', 'alerts', 'drift'],
  },
  statistical: {
    noun: 'a statistical feature',
    required: ['type', 'aggregation'],
    optional: ['field', ...WINDOW_KEYS, 'q', 'quantiles', 'approximate', 'rank', 'k', 'description'],
    later: ['default'],
  },
  time_series: {
    noun: 'a time_series feature',
    required: ['type', 'function'],
    optional: ['field', ...WINDOW_KEYS, 'result', 'per', 'half_life', 'step', 'lag', 'recent', 'description'],
    later: ['default'],
  },
  expression: {
    noun: 'an expression feature',
    required: ['type', 'expression'],
    optional: ['description'],
    later: ['default'],
  },
  request: {
    noun: 'a request feature',
    required: ['type'],
    optional: ['function', 'of', 'timezone', 'expression', 'description'],
    later: ['default'],
  },
} as const satisfies Record<string, Grammar>;

export const FEATURE_TYPES = ['statistical', 'time_series', 'expression', 'request'] as const;
export type FeatureType = (typeof FEATURE_TYPES)[number];
export const LATER_FEATURE_TYPES = ['python'];

export const FIELD_TYPES = ['float', 'int', 'bool', 'category', 'timestamp'] as const satisfies FieldType[];

/** What other systems call the same types. */
export const FIELD_TYPE_SYNONYMS: Record<string, FieldType> = {
  string: 'category',
  str: 'category',
  text: 'category',
  enum: 'category',
  double: 'float',
  float64: 'float',
  number: 'float',
  integer: 'int',
  int64: 'int',
  long: 'int',
  boolean: 'bool',
  datetime: 'timestamp',
  date: 'timestamp',
  time: 'timestamp',
};

const ANY = FIELD_TYPES;
const NUMBERS = ['float', 'int', 'bool'] as const satisfies FieldType[];
const ORDERED = [...NUMBERS, 'timestamp'] as const satisfies FieldType[];

/** Which field types each aggregation takes; `share_where` takes no field. */
export const AGGREGATIONS: Record<Aggregation, readonly FieldType[]> = {
  count: ANY,
  sum: NUMBERS,
  mean: NUMBERS,
  std: NUMBERS,
  var: NUMBERS,
  min: ORDERED,
  max: ORDERED,
  skew: NUMBERS,
  kurtosis: NUMBERS,
  first: ANY,
  last: ANY,
  missing_share: ANY,
  share_where: [],
  median: NUMBERS,
  quantile: NUMBERS,
  nunique: ANY,
  mode: ANY,
  entropy: ANY,
  top_share: ANY,
};

/** Aggregations that stand for several features, and what each of them is. */
export const SEVERAL = { quantiles: 'quantile', top_k: 'top_share' } as const satisfies Record<string, Aggregation>;
export type DeclaredAggregation = Aggregation | keyof typeof SEVERAL;

/** A key that goes with some words only. */
export interface OwnKey {
  of: readonly string[];
  /** Present where those words need the key: an example for who left it out. */
  such?: string;
}

export const AGGREGATION_KEYS: Record<'q' | 'quantiles' | 'approximate' | 'rank' | 'k', OwnKey> = {
  q: { of: ['quantile'], such: '0.9' },
  quantiles: { of: ['quantiles'], such: '[0.1, 0.9]' },
  approximate: { of: ['median', 'quantile', 'quantiles'] },
  rank: { of: ['top_share'] },
  k: { of: ['top_k'], such: '3' },
};

/** What other systems call the same, and what is close to it. */
export const AGGREGATION_SYNONYMS: Record<string, DeclaredAggregation> = {
  avg: 'mean',
  average: 'mean',
  total: 'sum',
  stddev: 'std',
  stdev: 'std',
  standard_deviation: 'std',
  variance: 'var',
  skewness: 'skew',
  kurt: 'kurtosis',
  percentile: 'quantile',
  percentiles: 'quantiles',
  p50: 'median',
  latest: 'last',
  newest: 'last',
  earliest: 'first',
  oldest: 'first',
  minimum: 'min',
  maximum: 'max',
  size: 'count',
  distinct: 'nunique',
  count_distinct: 'nunique',
  distinct_count: 'nunique',
  unique: 'nunique',
  cardinality: 'nunique',
  most_common: 'mode',
  null_share: 'missing_share',
  missing: 'missing_share',
  share: 'share_where',
  share_if: 'share_where',
  top: 'top_k',
  top_shares: 'top_k',
};

/** Which field types each function takes. */
export const FUNCTIONS: Record<SeriesFunction, readonly FieldType[]> = {
  linear_regression: NUMBERS,
  ewma: NUMBERS,
  decayed_sum: NUMBERS,
  rate: NUMBERS,
  velocity: NUMBERS,
  acceleration: NUMBERS,
  autocorrelation: NUMBERS,
  time_since_last: ANY,
  time_since_first: ANY,
  duration: ANY,
  mean_gap: ANY,
  burst: ANY,
  anomaly_score: NUMBERS,
};

/** Functions of the events' times, which need no field. */
export const TIMES_ALONE: readonly SeriesFunction[] = [
  'decayed_sum',
  'rate',
  'time_since_last',
  'time_since_first',
  'duration',
  'mean_gap',
  'burst',
];

export const LATER_FUNCTIONS = ['seasonal_share'];

export const FUNCTION_KEYS: Record<'result' | 'per' | 'half_life' | 'step' | 'lag' | 'recent', OwnKey> = {
  result: { of: ['linear_regression'] },
  per: { of: ['linear_regression', 'rate', 'velocity', 'acceleration'] },
  half_life: { of: ['ewma', 'decayed_sum'], such: '1d' },
  step: { of: ['decayed_sum', 'time_since_last', 'time_since_first'], such: '1m' },
  lag: { of: ['autocorrelation'], such: '1' },
  recent: { of: ['burst'], such: '1h' },
};

export const REGRESSION_RESULTS = ['slope', 'intercept', 'r2'] as const satisfies (
  | 'slope'
  | NonNullable<SeriesFeature['result']>
)[];

export const FUNCTION_SYNONYMS: Record<string, string> = {
  regression: 'linear_regression',
  linreg: 'linear_regression',
  slope: 'linear_regression',
  trend: 'linear_regression',
  intercept: 'linear_regression with result: intercept',
  r2: 'linear_regression with result: r2',
  ema: 'ewma',
  ewm: 'ewma',
  frequency: 'rate',
  derivative: 'velocity',
  speed: 'velocity',
  autocorr: 'autocorrelation',
  recency: 'time_since_last',
  time_since: 'time_since_last',
  age: 'time_since_first',
  length: 'duration',
  interarrival: 'mean_gap',
  zscore: 'anomaly_score',
  z_score: 'anomaly_score',
};

/** Functions of a time in a time zone; `is_weekend` gives true or false, the others a number. */
export const CALENDAR_FUNCTIONS = [
  'hour_of_day',
  'day_of_week',
  'is_weekend',
  'day_of_month',
  'month',
] as const satisfies CalendarFunction[];

/** What a request feature may be without being written as an expression. */
export const REQUEST_FUNCTIONS = [...CALENDAR_FUNCTIONS, 'time_since'] as const;

/** What an argument or a result of an expression is. */
export type Kind = 'number' | 'bool' | 'text' | 'time';

export interface OperatorSpec {
  /** Kinds of the arguments; `same` stands for one kind that all of them and the result share. */
  arguments: readonly (Kind | 'same')[];
  /** The last argument may be repeated. */
  repeats?: true;
  result: Kind | 'same';
  /** Written `name(a, b)` rather than between or before its arguments. */
  call: boolean;
}

const arithmetic = { arguments: ['number', 'number'], result: 'number', call: false } as const;
const comparison = { arguments: ['number', 'number'], result: 'bool', call: false } as const;
const logic = { arguments: ['bool', 'bool'], result: 'bool', call: false } as const;
const ofOne = { arguments: ['number'], result: 'number', call: true } as const;
const ofSeveral = { arguments: ['number', 'number'], repeats: true, result: 'number', call: true } as const;

export const OPERATORS: Record<Operator, OperatorSpec> = {
  neg: { arguments: ['number'], result: 'number', call: false },
  '+': arithmetic,
  '-': arithmetic,
  '*': arithmetic,
  '/': arithmetic,
  '<': comparison,
  '<=': comparison,
  '>': comparison,
  '>=': comparison,
  '==': comparison,
  '!=': comparison,
  and: logic,
  or: logic,
  not: { arguments: ['bool'], result: 'bool', call: false },
  min: ofSeveral,
  max: ofSeveral,
  abs: ofOne,
  log: ofOne,
  exp: ofOne,
  sqrt: ofOne,
  where: { arguments: ['bool', 'same', 'same'], result: 'same', call: true },
  coalesce: { arguments: ['same', 'same'], repeats: true, result: 'same', call: true },
};

/** Words that an expression reads as something else than a feature. */
export const RESERVED_NAMES = ['and', 'or', 'not', 'true', 'false', 'null'];

export const LIMITS = {
  file_bytes: 1024 * 1024,
  /** Values read and features joined by `extends`, those behind aliases once for every use. */
  values: 200_000,
  name_characters: 64,
  versions_a_view: 100,
  features_a_version: 1000,
  expression_characters: 4096,
  expression_depth: 100,
  window_rows: 100_000_000,
  ranks: 100,
} as const;

/** What a key means where it is left out. */
export const DEFAULTS = {
  clock: 'wall',
  lateness: '0',
  max_ahead: '1d',
  retention: '31d',
  history: '1d',
  ttl: '5m',
  stale_while_revalidate: '0',
} as const;
