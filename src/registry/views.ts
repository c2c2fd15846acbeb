import type { FeatureContext } from './declared.ts';
import { type Defaults, readDefaults } from './defaults.ts';
import { parseDuration } from './durations.ts';
import { type FeatureDraft, readFeatures } from './features.ts';
import { DEFAULTS, GRAMMAR, LIMITS } from './grammar.ts';
import { checkName, SERVICE_VERSION } from './names.ts';
import type { Place } from './problems.ts';
import type { PythonFunctions } from './python-functions.ts';
import type { Entry, Reader } from './reader.ts';
import { type Inputs, readInputs } from './request-features.ts';
import type { SourceDraft } from './sources.ts';
import { didYouMean, listOf, quote } from './suggest.ts';

/** A version as read, before what it extends is joined to it. */
export interface VersionDraft {
  name: string;
  key: Place;
  /** ISO date. */
  deprecated: string | null;
  base: { name: string; place: Place } | null;
  features: FeatureDraft[];
}

/** What all versions of a view share. */
export interface ViewOptions {
  name: string;
  /** Null where it is wrong. */
  entity: string | null;
  description: string;
  ttl: number;
  exact: boolean;
  updateAgeOnGet: boolean;
  staleWhileRevalidate: number;
}

export interface ViewDraft extends ViewOptions {
  inputs: Inputs;
  versions: VersionDraft[];
}

/** What a view may refer to; null where it could not be read. */
export interface ViewContext {
  entities: ReadonlySet<string> | null;
  sources: ReadonlyMap<string, SourceDraft> | null;
  functions: PythonFunctions;
  defaults: Defaults;
}

export function readView(reader: Reader, entry: Entry, context: ViewContext): ViewDraft {
  checkName(reader, entry.key, entry.name);
  const record = reader.record(entry, GRAMMAR.view) ?? new Map<string, Entry>();
  const entity = readEntityOf(reader, record.get('entity'), context);
  const duration = (key: 'ttl' | 'stale_while_revalidate'): number => {
    const item = record.get(key);
    const given = item && reader.duration(item.value, key === 'ttl');
    return given ?? (parseDuration(DEFAULTS[key]) as number);
  };
  const flag = (key: 'exact' | 'update_age_on_get'): boolean => {
    const item = record.get(key);
    return (item && reader.boolean(item.value)) ?? false;
  };
  const description = record.get('description');
  const defaults = readDefaults(reader, record.get('defaults'), context.defaults);
  const view = {
    name: entry.name,
    entity,
    description: (description && reader.text(description.value, 'a sentence')) ?? '',
    ttl: duration('ttl'),
    exact: flag('exact'),
    updateAgeOnGet: flag('update_age_on_get'),
    staleWhileRevalidate: duration('stale_while_revalidate'),
    inputs: readInputs(reader, record.get('request')),
  };
  return { ...view, versions: readVersions(reader, record.get('versions'), entity, { ...context, defaults }) };
}

function readEntityOf(reader: Reader, entry: Entry | undefined, { entities, sources }: ViewContext): string | null {
  const name = entry && reader.text(entry.value, "an entity's name");
  if (entry === undefined || name == null) return null;
  if (entities !== null && !entities.has(name)) {
    const there = `; the entities are ${listOf(entities)}`;
    reader.report(entry.value, `unknown entity ${quote(name)}${there}${didYouMean(name, entities)}`);
    return null;
  }
  const keyed = [...(sources?.values() ?? [])].some((source) => source.keys === null || source.keys.has(name));
  if (entities === null || sources === null || keyed) return name;
  reader.report(entry.value, `no source has a key for ${name}, so it has no events; add ${name} to the keys of one`);
  return null;
}

function readVersions(
  reader: Reader,
  entry: Entry | undefined,
  entity: string | null,
  { sources, functions, defaults }: ViewContext,
): VersionDraft[] {
  const entries = entry && reader.entries(entry.value, 'versions, such as v1: { features: … }');
  if (entry === undefined || entries == null) return [];
  if (entries.length === 0) reader.report(entry.key, 'a view needs a version; add v1: with its features');
  if (entries.length > LIMITS.versions_a_view) {
    reader.report(
      entry.key,
      `found ${entries.length} versions, a view may have ${LIMITS.versions_a_view}; remove some`,
    );
  }
  return entries.map((item) => {
    checkName(reader, item.key, item.name);
    if (item.name === SERVICE_VERSION)
      reader.report(item.key, 'service is what the version of a service is called; call this otherwise');
    const record = reader.record(item, GRAMMAR.version) ?? new Map<string, Entry>();
    const base = record.get('extends');
    const name = base && reader.text(base.value, "another version's name");
    const features = record.get('features');
    if (features === undefined && base === undefined) {
      reader.report(item.key, `version ${item.name} has no features; add features:, or extends: another version`);
    }
    return {
      name: item.name,
      key: item.key,
      deprecated: readDate(reader, record.get('deprecated')),
      base: base === undefined || name == null ? null : { name, place: base.value },
      features: readFeaturesOf(reader, features, {
        entity,
        sources,
        functions,
        defaults: readDefaults(reader, record.get('defaults'), defaults),
      }),
    };
  });
}

function readDate(reader: Reader, entry: Entry | undefined): string | null {
  const text = entry && reader.text(entry.value, 'a date, such as 2027-01-31');
  if (text == null) return null;
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : null;
  if (day !== null && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)) return text;
  reader.report(entry!.value, `found ${quote(text)}, expected a date of the calendar, such as 2027-01-31`);
  return null;
}

export function readFeaturesOf(reader: Reader, entry: Entry | undefined, context: FeatureContext): FeatureDraft[] {
  const entries = entry && reader.entries(entry.value, 'features, such as departures_1h: { type: statistical, … }');
  if (entry === undefined || entries == null) return [];
  if (entries.length === 0) reader.report(entry.key, 'found no feature; add one, or leave features: out');
  return readFeatures(reader, entries, context);
}
