/**
 * Aggregations of statistical and functions of time_series features, with the types of fields that they take and the
 * keys that go with them. docs/FEATURES.md is held to these lists by a test.
 */
import { FIELD_TYPES } from './grammar.ts';
import type { Aggregation, FieldType, SeriesFeature, SeriesFunction } from './view.ts';

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
