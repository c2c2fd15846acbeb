/**
 * The words of `features.yaml`: which keys each map takes, and which belong to later versions of Headrace.
 * docs/FEATURES.md is held to these lists by a test.
 */
import type { CalendarFunction, FieldType, Operator } from './view.ts';

export interface Grammar {
  /** As in "a source". */
  noun: string;
  required: readonly string[];
  optional: readonly string[];
  /** Designed, but not offered by this version: refused in other words than a misspelling. */
  later: readonly string[];
  /** Keys that belong elsewhere, and what to do with them. */
  elsewhere?: Readonly<Record<string, string>>;
}

/** Keys by which some would call what has another name here. */
export const KEY_SYNONYMS: Readonly<Record<string, string>> = {
  filter: 'where',
  condition: 'where',
  agg: 'aggregation',
  column: 'field',
  expr: 'expression',
  formula: 'expression',
  tz: 'timezone',
  alias: 'as',
  name: 'as',
  inputs: 'request',
  columns: 'fields',
};

/** Which events a feature of a source sees. */
const WINDOW_KEYS = ['source', 'window', 'windows', 'rows', 'gap', 'closed', 'offset', 'where'] as const;

/** What a feature may leave to `defaults`. */
const DEFAULT_KEYS = ['source', 'field', 'window', 'closed', 'offset'] as const;

export const GRAMMAR = {
  registry: {
    noun: 'the registry',
    required: ['project', 'entities', 'sources', 'views'],
    optional: ['clock', 'services', 'defaults'],
    later: ['alerts', 'drift'],
    elsewhere: { features: 'beside views there are none; move them into a version of a view, or leave views out' },
  },
  flat: {
    noun: 'a flat registry',
    required: ['features'],
    optional: ['project', 'defaults', 'entities', 'sources', 'clock', 'services'],
    later: ['alerts', 'drift'],
  },
  defaults: { noun: 'defaults', required: [], optional: DEFAULT_KEYS, later: [] },
  flat_defaults: {
    noun: "a flat registry's defaults",
    required: [],
    optional: ['entity', 'key', 'timestamp', ...DEFAULT_KEYS],
    later: [],
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
    optional: ['description', 'request', 'ttl', 'exact', 'update_age_on_get', 'stale_while_revalidate', 'defaults'],
    later: ['default', 'alerts', 'drift'],
    elsewhere: { features: 'features stand in a version; write versions: { v1: { features: … } }' },
  },
  version: {
    noun: 'a version',
    required: [],
    optional: ['features', 'extends', 'deprecated', 'defaults'],
    later: ['alerts', 'drift'],
  },
  service: { noun: 'a service', required: ['features'], optional: ['description'], later: ['view', 'drift'] },
  service_feature: { noun: "a service's feature", required: ['feature'], optional: ['as'], later: ['default'] },
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
  python: {
    noun: 'a python feature',
    required: ['type', 'function'],
    optional: [...WINDOW_KEYS, 'fields', 'timeout', 'description'],
    later: ['default'],
  },
  request: {
    noun: 'a request feature',
    required: ['type'],
    optional: ['function', 'of', 'timezone', 'expression', 'description'],
    later: ['default'],
  },
} as const satisfies Record<string, Grammar>;

export const FEATURE_TYPES = ['statistical', 'time_series', 'expression', 'request', 'python'] as const;
export type FeatureType = (typeof FEATURE_TYPES)[number];

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
  timeout: '100ms',
} as const;
