/** Reads the feature services: which features of which views one model takes, and under which names. */
import { GRAMMAR } from './grammar.ts';
import { checkName } from './names.ts';
import type { Place } from './problems.ts';
import type { Entry, Reader, Value } from './reader.ts';
import { quote } from './suggest.ts';

/** A feature as a service lists it. */
export interface ServiceItem {
  at: Place;
  view: string;
  /** Null: the view's newest. */
  version: string | null;
  feature: string;
  /** What the service calls it. */
  name: string;
}

export interface ServiceDraft {
  name: string;
  key: Place;
  description: string;
  items: ServiceItem[];
}

/** @param views names of the declared views, which no service may have; null where they could not be read */
export function readService(reader: Reader, entry: Entry, views: ReadonlySet<string> | null): ServiceDraft {
  checkName(reader, entry.key, entry.name);
  if (views?.has(entry.name)) {
    reader.report(entry.key, `${quote(entry.name)} is a view too; call one otherwise`);
  }
  const record = reader.record(entry, GRAMMAR.service);
  const features = record?.get('features');
  const values = features && reader.list(features.value, "views' features");
  if (values?.length === 0)
    reader.report(features!.value, 'found an empty list; name a feature as view@version:feature');
  const about = record?.get('description');
  return {
    name: entry.name,
    key: entry.key,
    description: (about && reader.text(about.value, 'a sentence')) ?? '',
    items: values?.flatMap((value) => readItem(reader, value) ?? []) ?? [],
  };
}

/** `view@version:feature`, `view:feature`, or `{ feature: …, as: name }`. */
function readItem(reader: Reader, value: Value): ServiceItem | null {
  if (!reader.isMap(value)) return readTarget(reader, value, null);
  const record = reader.record({ name: '', key: value, value }, GRAMMAR.service_feature);
  const feature = record?.get('feature');
  const alias = record?.get('as');
  const name = alias && reader.text(alias.value, "the feature's name in the service");
  if (alias !== undefined && name != null) checkName(reader, alias.value, name);
  return feature === undefined ? null : readTarget(reader, feature.value, name ?? null);
}

function readTarget(reader: Reader, value: Value, alias: string | null): ServiceItem | null {
  const text = reader.text(value, 'a feature as view@version:feature');
  if (text === null) return null;
  const match = /^\s*([^@:\s]+)(?:@([^@:\s]+))?:([^@:\s]+)\s*$/.exec(text);
  if (match === null) {
    reader.report(value, `found ${quote(text)}, expected view@version:feature, or view:feature for the newest version`);
    return null;
  }
  const [, view, version, feature] = match;
  return { at: value, view: view!, version: version ?? null, feature: feature!, name: alias ?? feature! };
}
