import { readChoice } from './choice.ts';
import type { Declared, FeatureContext, FeatureRecord } from './declared.ts';
import { DURATION_UNITS, formatDuration } from './durations.ts';
import { fieldsOf, readField, readSourceOf } from './feature-source.ts';
import {
  FUNCTION_KEYS,
  FUNCTION_SYNONYMS,
  FUNCTIONS,
  LATER_FUNCTIONS,
  REGRESSION_RESULTS,
  TIMES_ALONE,
} from './feature-words.ts';
import { LIMITS } from './grammar.ts';
import { checkOwnKeys } from './own-keys.ts';
import type { Entry, Reader, Value } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import { listOf, quote } from './suggest.ts';
import type { FieldType, SeriesFeature, SeriesFunction } from './view.ts';
import { readWhere } from './where.ts';
import { type NamedWindow, readWindows } from './window.ts';

const CHOICE = {
  noun: 'function',
  known: Object.keys(FUNCTIONS) as SeriesFunction[],
  later: LATER_FUNCTIONS,
  synonyms: FUNCTION_SYNONYMS,
};

type Parameters = Pick<SeriesFeature, 'result' | 'per' | 'half_life' | 'step' | 'lag' | 'recent'>;

/** Null where a problem was reported. */
export function readTimeSeries(
  reader: Reader,
  entry: Entry,
  record: FeatureRecord,
  context: FeatureContext,
): Declared[] | null {
  const named = record.get('function');
  const name = named ? readChoice(reader, named.value, CHOICE) : null;
  const source = readSourceOf(reader, entry, record.get('source'), context);
  const windows = readWindows(reader, record, source);
  const where = readWhere(reader, record.get('where'), source);
  if (name === null) return null;
  const field = readFieldOf(reader, entry, record.get('field'), name, source);
  const parameters = readParameters(reader, entry, record, name);
  const fits = parameters === null || checkRecent(reader, record.get('recent')?.value, parameters.recent, windows);
  if (source === null || windows === null || where === null || field === null || parameters === null || !fits) {
    return null;
  }
  return windows.map(({ suffix, window }) => ({
    suffix,
    body: {
      name: entry.name + suffix,
      type: 'time_series',
      output: 'float64',
      source: source.name,
      ...(field !== undefined && { field }),
      function: name,
      window,
      ...(where && { where }),
      ...parameters,
    },
  }));
}

/** Undefined where there is none and the function needs none, null where it is wrong. */
function readFieldOf(
  reader: Reader,
  entry: Entry,
  item: Entry | undefined,
  name: SeriesFunction,
  source: SourceDraft | null,
): string | undefined | null {
  if (item === undefined) {
    if (TIMES_ALONE.includes(name)) return undefined;
    reader.report(entry.key, `${name} needs a field, and there is none; add field:${fieldsOf(source)}`);
    return null;
  }
  const field = readField(reader, item.value, source);
  if (field === null) return null;
  const allowed: readonly FieldType[] = FUNCTIONS[name];
  if (allowed.includes(field.type)) return field.name;
  const takes = `${name} takes ${listOf(allowed)}; take another field or function`;
  reader.report(item.value, `${quote(field.name)} is a ${field.type}, and ${takes}`);
  return null;
}

/** What equals the default is left out, so that it makes no other definition. */
function readParameters(reader: Reader, entry: Entry, record: FeatureRecord, name: SeriesFunction): Parameters | null {
  let well = checkOwnKeys(reader, entry, record, name, FUNCTION_KEYS);
  const parameters: Parameters = {};
  const own = <T>(key: keyof typeof FUNCTION_KEYS, read: (value: Value) => T | null): T | undefined => {
    const item = FUNCTION_KEYS[key].of.includes(name) ? record.get(key) : undefined;
    const value = item && read(item.value);
    if (value === null) well = false;
    return value ?? undefined;
  };
  const duration = (value: Value): number | null => reader.duration(value, true);
  const result = own('result', (value) => readChoice(reader, value, { noun: 'result', known: REGRESSION_RESULTS }));
  if (result !== undefined && result !== 'slope') parameters.result = result;
  const per = own('per', duration);
  if (per !== undefined && (name === 'linear_regression' || per !== DURATION_UNITS.s)) parameters.per = per;
  for (const key of ['half_life', 'step', 'recent'] as const) {
    const given = own(key, duration);
    if (given !== undefined) parameters[key] = given;
  }
  const lag = own('lag', (value) => reader.whole(value, 1, LIMITS.window_rows));
  if (lag !== undefined) parameters.lag = lag;
  return well ? parameters : null;
}

function checkRecent(
  reader: Reader,
  at: Value | undefined,
  recent: number | undefined,
  windows: NamedWindow[] | null,
): boolean {
  if (at === undefined || recent === undefined || windows === null) return true;
  const shortest = Math.min(...windows.map(({ window }) => window.time));
  if (recent < shortest) return true;
  const found = `recent is ${formatDuration(recent)}, and the window is ${formatDuration(shortest)}`;
  reader.report(at, `${found}: nothing is left to compare with; shorten recent`);
  return false;
}
