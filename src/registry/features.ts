import { readChoice } from './choice.ts';
import type { Declared, ExpressionDraft, FeatureContext, FeatureRecord } from './declared.ts';
import { withDefaults } from './defaults.ts';
import { FEATURE_TYPES, type FeatureType, GRAMMAR } from './grammar.ts';
import { checkFeatureName } from './names.ts';
import type { Place } from './problems.ts';
import { readPython } from './python-features.ts';
import { readSyntax } from './read-expression.ts';
import type { Entry, Reader } from './reader.ts';
import { readRequest } from './request-features.ts';
import { readStatistical } from './statistical.ts';
import { listOf, quote } from './suggest.ts';
import { readTimeSeries } from './time-series.ts';
import type { PlanFeature } from './view.ts';

/** A feature as read: a part of a plan, or an expression whose references wait for the rest of the version. */
export interface FeatureDraft {
  name: string;
  key: Place;
  description: string;
  /** Null where a problem was reported; then the entry may have been meant for several features with longer names. */
  body: PlanFeature | ExpressionDraft | null;
}

/** The features that the entries stand for, in their order, each name once. */
export function readFeatures(reader: Reader, entries: Entry[], context: FeatureContext): FeatureDraft[] {
  const drafts = new Map<string, FeatureDraft>();
  for (const draft of entries.flatMap((entry) => readFeature(reader, entry, context))) {
    const first = drafts.get(draft.name);
    if (first === undefined) drafts.set(draft.name, draft);
    else reader.report(draft.key, collision(draft, first));
  }
  return [...drafts.values()];
}

function collision({ name, key }: FeatureDraft, first: FeatureDraft): string {
  if (first.key === key) return `${quote(name)} comes of its lists twice; leave one out`;
  const entry = first.key.path.slice(first.key.path.lastIndexOf('.') + 1);
  return `${quote(name)} is made here, and ${entry === name ? 'stands' : `by ${quote(entry)}`} above; call one otherwise`;
}

function readFeature(reader: Reader, entry: Entry, context: FeatureContext): FeatureDraft[] {
  checkFeatureName(reader, entry);
  const broken: FeatureDraft = { name: entry.name, key: entry.key, description: '', body: null };
  const type = readType(reader, entry);
  const own = type && reader.record(entry, GRAMMAR[type]);
  if (type === null || own === null) return [broken];
  const record = withDefaults(type, own, context.defaults);
  const item = record.get('description');
  const description = (item && reader.text(item.value, 'a sentence')) ?? '';
  const features = readBodies(reader, entry, type, record, context);
  if (features === null) return [broken];
  return features.map(({ suffix, body }) => {
    const name = entry.name + suffix;
    if (suffix !== '') checkFeatureName(reader, { ...entry, name });
    return { name, key: entry.key, description, body };
  });
}

function readType(reader: Reader, entry: Entry): FeatureType | null {
  const entries = reader.entries(entry.value, "a feature's keys, such as { type: statistical, … }");
  if (entries === null) return null;
  const type = entries.find((item) => item.name === 'type');
  if (type === undefined) {
    reader.report(entry.key, `the feature has no type; add type: and one of ${listOf(FEATURE_TYPES)}`);
    return null;
  }
  return readChoice(reader, type.value, { noun: 'feature type', known: FEATURE_TYPES });
}

function readBodies(
  reader: Reader,
  entry: Entry,
  type: FeatureType,
  record: FeatureRecord,
  context: FeatureContext,
): Declared[] | null {
  if (type === 'statistical') return readStatistical(reader, entry, record, context);
  if (type === 'time_series') return readTimeSeries(reader, entry, record, context);
  if (type === 'python') return readPython(reader, entry, record, context);
  if (type === 'request') return readRequest(reader, entry, record);
  const expression = record.get('expression');
  const body = expression && readSyntax(reader, expression.value, 'the expression', 'delay_last - delay_mean_7d');
  return body ? [{ suffix: '', body }] : null;
}
