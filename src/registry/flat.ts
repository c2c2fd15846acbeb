/**
 * A flat registry: features without views around them, and all else from `defaults`. They make the view `default` with
 * one version, `v1`; what they name and nobody declares is made: the entity, and sources with fields of floats.
 */
import { isScalar } from 'yaml';
import { checkDefaults, type Defaults } from './defaults.ts';
import { parseDuration } from './durations.ts';
import { DEFAULTS, GRAMMAR } from './grammar.ts';
import { parseTemplate } from './key-template.ts';
import { checkName, columnProblem } from './names.ts';
import type { PythonFunctions } from './python-functions.ts';
import type { Entry, Reader, Value } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import { listOf, quote } from './suggest.ts';
import type { FieldType, Registry } from './view.ts';
import { readFeaturesOf, type ViewDraft } from './views.ts';

interface Declared {
  /** Null where they could not be read, and where there are none. */
  entities: Registry['entities'] | null;
  sources: SourceDraft[] | null;
}

interface Flat {
  entities: Registry['entities'];
  sources: SourceDraft[];
  views: ViewDraft[];
}

/** @param record the registry's keys, with `features` */
export function readFlat(
  reader: Reader,
  record: Map<string, Entry>,
  declared: Declared,
  functions: PythonFunctions,
): Flat {
  const features = record.get('features')!;
  const block = record.get('defaults');
  const defaults = (block && reader.record(block, GRAMMAR.flat_defaults)) ?? new Map<string, Entry>();
  checkDefaults(reader, defaults);
  const entity = readEntity(reader, features, defaults, declared.entities);
  const entities = declared.entities ?? new Map(entity === null ? [] : [[entity, { description: '' }]]);
  const sources = [...(declared.sources ?? []), ...makeSources(reader, features, defaults, entity, declared)];
  const context = { entity, sources: new Map(sources.map((one) => [one.name, one])), functions, defaults };
  const version = {
    name: 'v1',
    key: features.key,
    deprecated: null,
    base: null,
    features: readFeaturesOf(reader, features, context),
  };
  const view: ViewDraft = {
    name: 'default',
    entity,
    description: '',
    ttl: parseDuration(DEFAULTS.ttl) as number,
    exact: false,
    updateAgeOnGet: false,
    staleWhileRevalidate: 0,
    inputs: new Map(),
    versions: [version],
  };
  return { entities, sources, views: [view] };
}

function readEntity(
  reader: Reader,
  features: Entry,
  defaults: Defaults,
  declared: Registry['entities'] | null,
): string | null {
  const entry = defaults.get('entity');
  if (entry === undefined) {
    if (declared?.size === 1) return [...declared.keys()][0]!;
    reader.report(features.key, 'the features are of no entity; name one, as in defaults: { entity: user }');
    return null;
  }
  const name = reader.text(entry.value, "an entity's name");
  if (name === null) return null;
  checkName(reader, entry.value, name);
  if (declared === null || declared.has(name)) return name;
  reader.report(entry.value, `unknown entity ${quote(name)}; the entities are ${listOf(declared.keys())}`);
  return null;
}

/** The sources that features or `defaults` name and the registry does not declare. */
function makeSources(
  reader: Reader,
  features: Entry,
  defaults: Defaults,
  entity: string | null,
  { sources }: Declared,
): SourceDraft[] {
  const common = defaults.get('source');
  const named = new Map<string, Value>();
  const fields = new Map<string, Set<string>>();
  const add = (source: Entry | undefined, field: Entry | undefined): void => {
    const name = textOf(source?.value);
    if (name === null || sources?.some((one) => one.name === name)) return;
    if (!named.has(name)) named.set(name, source!.value);
    const column = textOf(field?.value);
    if (!fields.has(name)) fields.set(name, new Set());
    if (column !== null) fields.get(name)!.add(column);
  };
  add(common, defaults.get('field'));
  for (const feature of reader.entries(features.value, 'features') ?? []) {
    if (!reader.isMap(feature.value)) continue;
    const keys = new Map(reader.entries(feature.value, "a feature's keys")?.map((item) => [item.name, item]));
    add(keys.get('source') ?? common, keys.get('field') ?? defaults.get('field'));
  }
  if (named.size === 0 && sources === null) {
    reader.report(features.key, 'the features have no source; name one, as in defaults: { source: values }');
  }
  const key = readKey(reader, defaults.get('key'), entity);
  const timestamp = readTimestamp(reader, defaults.get('timestamp'));
  return [...named].map(([name, at]) => {
    checkName(reader, at, name);
    if (timestamp === undefined) {
      const fix = 'declare it under sources, or say where events have their time, as in defaults: { timestamp: at }';
      reader.report(at, `source ${quote(name)} is not declared; ${fix}`);
    }
    return makeSource(name, entity, key, timestamp ?? null, fields.get(name)!);
  });
}

function makeSource(
  name: string,
  entity: string | null,
  key: string[] | null,
  timestamp: string | null,
  fields: ReadonlySet<string>,
): SourceDraft {
  const duration = (word: 'lateness' | 'max_ahead' | 'retention' | 'history') =>
    parseDuration(DEFAULTS[word]) as number;
  return {
    name,
    keys: entity === null ? null : new Map([[entity, key]]),
    timestamp,
    fields: new Map([...fields].map((field): [string, FieldType] => [field, 'float'])),
    lateness: duration('lateness'),
    maxAhead: duration('max_ahead'),
    retention: duration('retention'),
    history: duration('history'),
  };
}

/** The template of the entity's ids: the column of its name unless another is named. */
function readKey(reader: Reader, entry: Entry | undefined, entity: string | null): string[] | null {
  if (entry === undefined) return entity === null ? null : ['', entity, ''];
  const text = reader.text(entry.value, 'a column, or a template in quotes such as "{origin}-{destination}"');
  const template = text === null ? null : parseTemplate(text);
  if (template === null || Array.isArray(template)) return template;
  reader.report(entry.value, template.problem);
  return null;
}

/** Undefined where there is none, null where it is wrong. */
function readTimestamp(reader: Reader, entry: Entry | undefined): string | undefined | null {
  const text = entry && reader.text(entry.value, "the column that holds an event's time");
  const problem = text == null ? null : columnProblem(text);
  if (problem !== null) reader.report(entry!.value, problem);
  return problem === null ? text : null;
}

function textOf(value: Value | undefined): string | null {
  return isScalar(value?.node) && typeof value.node.value === 'string' ? value.node.value : null;
}
