import { readChoice } from './choice.ts';
import { formatDuration } from './durations.ts';
import { ExpressionError, parseExpression, type Syntax } from './expression.ts';
import {
  AGGREGATION_SYNONYMS,
  AGGREGATIONS,
  FEATURE_TYPES,
  type FeatureType,
  FUNCTIONS,
  GRAMMAR,
  LATER_AGGREGATIONS,
  LATER_FEATURE_TYPES,
  LATER_FUNCTIONS,
} from './grammar.ts';
import { checkFeatureName } from './names.ts';
import type { Place } from './problems.ts';
import type { Entry, Reader, Value } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { Aggregation, FieldType, OutputType, PlanFeature } from './view.ts';

/** A feature as read: a part of a plan, or an expression whose references wait for the rest of the version. */
export interface FeatureDraft {
  name: string;
  key: Place;
  description: string;
  body: PlanFeature | ExpressionDraft | null;
}

export interface ExpressionDraft {
  type: 'expression';
  syntax: Syntax;
  /** The place in the file of an offset in the expression's text. */
  placeOf(at: number): Place;
}

/** What a feature may refer to. */
export interface FeatureContext {
  /** The view's entity; null where it is wrong. */
  entity: string | null;
  /** Null where the sources could not be read. */
  sources: ReadonlyMap<string, SourceDraft> | null;
}

type Record = Map<string, Entry>;

/** `body` is null where a problem was reported. */
export function readFeature(reader: Reader, entry: Entry, context: FeatureContext): FeatureDraft {
  checkFeatureName(reader, entry);
  const draft: FeatureDraft = { name: entry.name, key: entry.key, description: '', body: null };
  const type = readType(reader, entry);
  const record = type && reader.record(entry, GRAMMAR[type]);
  if (type === null || record === null) return draft;
  const description = record.get('description');
  if (description !== undefined) draft.description = reader.text(description.value, 'a sentence') ?? '';
  if (type === 'expression') draft.body = readExpression(reader, record.get('expression'));
  else if (type === 'statistical') draft.body = readStatistical(reader, entry, record, context);
  else draft.body = readTimeSeries(reader, entry, record, context);
  return draft;
}

function readType(reader: Reader, entry: Entry): FeatureType | null {
  const entries = reader.entries(entry.value, "a feature's keys, such as { type: statistical, … }");
  if (entries === null) return null;
  const type = entries.find((item) => item.name === 'type');
  if (type === undefined) {
    reader.report(entry.key, `the feature has no type; add type: and one of ${listOf(FEATURE_TYPES)}`);
    return null;
  }
  return readChoice(reader, type.value, { noun: 'feature type', known: FEATURE_TYPES, later: LATER_FEATURE_TYPES });
}

function readStatistical(reader: Reader, entry: Entry, record: Record, context: FeatureContext): PlanFeature | null {
  const aggregation = readAggregation(reader, record.get('aggregation'));
  const source = readSourceOf(reader, entry, record.get('source'), context);
  const window = readWindow(reader, record.get('window'), source);
  const q = readQ(reader, entry, record.get('q'), aggregation);
  const field = record.get('field');
  if (field === undefined) {
    if (aggregation !== null && aggregation !== 'count') {
      reader.report(entry.key, `${aggregation} needs a field, and there is none; add field:${fieldsOf(source)}`);
    }
    if (aggregation !== 'count' || source === null || window === null) return null;
    const { name } = entry;
    return { name, type: 'statistical', output: 'int64', source: source.name, aggregation, window: { time: window } };
  }
  const type = readField(reader, field.value, source);
  if (type === null || aggregation === null) return null;
  const allowed: readonly FieldType[] = AGGREGATIONS[aggregation as keyof typeof AGGREGATIONS];
  if (!allowed.includes(type.type)) {
    const takes = `${aggregation} takes ${listOf(allowed)}`;
    reader.report(
      field.value,
      `${quote(type.name)} is a ${type.type}, and ${takes}; take another field or aggregation`,
    );
    return null;
  }
  if (source === null || window === null || q === null) return null;
  return {
    name: entry.name,
    type: 'statistical',
    output: outputOf(aggregation, type.type),
    source: source.name,
    field: type.name,
    aggregation,
    window: { time: window },
    ...(q === undefined ? {} : { q }),
  };
}

function readTimeSeries(reader: Reader, entry: Entry, record: Record, context: FeatureContext): PlanFeature | null {
  const item = record.get('function');
  const choice = { noun: 'function', known: FUNCTIONS, later: LATER_FUNCTIONS };
  const name = item ? readChoice(reader, item.value, choice) : null;
  const source = readSourceOf(reader, entry, record.get('source'), context);
  const window = readWindow(reader, record.get('window'), source);
  const field = record.get('field');
  const type = field ? readField(reader, field.value, source) : null;
  if (field === undefined || type === null) return null;
  const allowed: readonly FieldType[] = AGGREGATIONS.mean;
  if (!allowed.includes(type.type)) {
    reader.report(field.value, `${quote(type.name)} is a ${type.type}, and a trend takes ${listOf(allowed)}`);
    return null;
  }
  if (name === null || source === null || window === null) return null;
  return {
    name: entry.name,
    type: 'time_series',
    output: 'float64',
    source: source.name,
    field: type.name,
    function: name,
    window: { time: window },
  };
}

function readExpression(reader: Reader, entry: Entry | undefined): ExpressionDraft | null {
  const text = entry && reader.text(entry.value, 'an expression, such as delay_last - delay_mean_7d');
  if (entry === undefined || text == null) return null;
  const start = reader.textStart(entry.value, text);
  const { offset, path } = entry.value;
  const placeOf = (at: number): Place => ({ offset: start === null ? offset : start + at, path });
  try {
    return { type: 'expression', syntax: parseExpression(text), placeOf };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    reader.report(placeOf(error.at), `${error.message} (character ${error.at + 1} of the expression)`);
    return null;
  }
}

function readAggregation(reader: Reader, entry: Entry | undefined): Aggregation | null {
  if (entry === undefined) return null;
  const known = Object.keys(AGGREGATIONS) as Aggregation[];
  const choice = { noun: 'aggregation', known, later: LATER_AGGREGATIONS, synonyms: AGGREGATION_SYNONYMS };
  return readChoice(reader, entry.value, choice);
}

function readSourceOf(
  reader: Reader,
  entry: Entry,
  item: Entry | undefined,
  { entity, sources }: FeatureContext,
): SourceDraft | null {
  const name = item && reader.text(item.value, "a source's name");
  if (sources === null || name === null) return null;
  // Where the entity or a source's keys are wrong themselves, any source may be meant.
  const mayFit = (source: SourceDraft): boolean => entity === null || source.keys === null || source.keys.has(entity);
  const fitting = [...sources.values()].filter(mayFit);
  if (item === undefined || name === undefined) {
    if (fitting.length === 1) return fitting[0]!;
    if (fitting.length > 1 && entity !== null) {
      const which = listOf(fitting.map((source) => source.name));
      reader.report(entry.key, `${entity} has events from several sources; add source: and one of ${which}`);
    }
    return null;
  }
  const source = sources.get(name);
  if (source === undefined) {
    const there = `; the sources are ${listOf(sources.keys())}`;
    reader.report(item.value, `unknown source ${quote(name)}${there}${didYouMean(name, sources.keys())}`);
    return null;
  }
  if (fitting.includes(source)) return source;
  const keys = listOf(source.keys?.keys() ?? []);
  reader.report(
    item.value,
    `source ${quote(name)} has no key for ${entity}; it has ${keys}: add ${entity} to its keys`,
  );
  return null;
}

/** Microseconds; the source's retention where no window is given. */
function readWindow(reader: Reader, item: Entry | undefined, source: SourceDraft | null): number | null {
  if (item === undefined) return source?.retention ?? null;
  const window = reader.duration(item.value, true);
  if (window === null || source === null || source.retention === null || window <= source.retention) return window;
  const kept = `source ${quote(source.name)} keeps ${formatDuration(source.retention)}`;
  reader.report(
    item.value,
    `the window of ${formatDuration(window)} is longer than the retention: ${kept}; shorten it, or raise retention`,
  );
  return null;
}

/** Undefined where the aggregation takes none, null where it is wrong. */
function readQ(
  reader: Reader,
  entry: Entry,
  item: Entry | undefined,
  aggregation: Aggregation | null,
): number | undefined | null {
  if (aggregation === 'quantile' && item === undefined) {
    reader.report(entry.key, 'quantile needs q, and it is not here; add it, such as q: 0.9');
    return null;
  }
  if (item === undefined) return undefined;
  if (aggregation !== 'quantile' && aggregation !== null) {
    reader.report(item.key, `q goes with quantile only, found it with ${aggregation}; leave it out`);
    return null;
  }
  return reader.number(item.value, 0, 1);
}

function readField(reader: Reader, value: Value, source: SourceDraft | null): { name: string; type: FieldType } | null {
  const name = reader.text(value, "a field's name");
  if (name === null || source === null || source.fields === null) return null;
  const type = source.fields.get(name);
  if (type === undefined) {
    const guess = didYouMean(name, source.fields.keys());
    reader.report(value, `source ${quote(source.name)} has no field ${quote(name)}${fieldsOf(source)}${guess}`);
  }
  return type == null ? null : { name, type };
}

const fieldsOf = (source: SourceDraft | null): string =>
  source?.fields == null ? '' : `; the fields of ${source.name} are ${listOf(source.fields.keys())}`;

function outputOf(aggregation: Aggregation, type: FieldType): OutputType {
  if (aggregation === 'count') return 'int64';
  if (aggregation !== 'min' && aggregation !== 'max' && aggregation !== 'last') return 'float64';
  const outputs = { float: 'float64', int: 'int64', bool: 'bool', category: 'string', timestamp: 'timestamp' } as const;
  return outputs[type];
}
