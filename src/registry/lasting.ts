/**
 * What a registry may not change: what was promised, or is written in the log.
 *
 * A feature service is not among it: it is a list of features whose versions stand still by themselves, and its values
 * are kept under the hash of the whole list, so another list can serve nothing that is wrong.
 */
import type { StoredDefinition } from '../store/definitions.ts';
import type { SchemaSpec } from '../store/log-row.ts';
import { differenceOf } from './difference.ts';
import type { Registry, View } from './view.ts';

export interface Lasting {
  /** The newest definition of each version, by {@link versionKey}. */
  definitions: ReadonlyMap<string, StoredDefinition>;
  /** Of the log, by id. */
  schemas: Readonly<Record<string, SchemaSpec>>;
  hasEvents: (source: string) => boolean;
  /** The clock that runs; null at a start, where another may be chosen. */
  clock: Registry['clock'] | null;
}

/** Something that cannot be, and where in the file's structure. */
export interface Refusal {
  path: string[];
  message: string;
}

export const versionKey = (view: string, version: string): string => JSON.stringify([view, version]);

/** Versions whose definition the log does not have yet, or has otherwise. */
export function newDefinitions(registry: Registry, definitions: Lasting['definitions']): View[] {
  const versions = [...registry.views.values()].flat();
  return versions.filter((view) => definitions.get(versionKey(view.name, view.version))?.hash !== view.hash);
}

/** By view, the versions that the log knows and the registry does not have. */
export function removedVersions(registry: Registry, definitions: Lasting['definitions']): Map<string, Set<string>> {
  const removed = new Map<string, Set<string>>();
  for (const { view, version } of definitions.values()) {
    if (registry.views.get(view)?.some((one) => one.version === version)) continue;
    removed.set(view, (removed.get(view) ?? new Set()).add(version));
  }
  return removed;
}

/** @param force changed definitions are wanted */
export function refusals(registry: Registry, lasting: Lasting, force: boolean): Refusal[] {
  return [
    ...(lasting.clock === null ? [] : clockRefusals(registry, lasting.clock)),
    ...typeRefusals(registry, lasting),
    ...(force ? [] : definitionRefusals(registry, lasting)),
  ];
}

function clockRefusals({ clock }: Registry, running: Registry['clock']): Refusal[] {
  const text = ({ mode, sources }: Registry['clock']) => (sources === null ? mode : `${mode} of ${sources.join(', ')}`);
  if (text(clock) === text(running)) return [];
  const message = `the clock is ${text(clock)}, and the engine runs on ${text(running)}: a clock is not changed while it runs; restart the engine`;
  return [{ path: ['clock'], message }];
}

/** A text's code and a number are the same bits: where one became the other, old events would be read wrongly. */
function typeRefusals(registry: Registry, { schemas, hasEvents }: Lasting): Refusal[] {
  const found: Refusal[] = [];
  for (const { name: source, fields } of registry.sources.values()) {
    if (!hasEvents(source)) continue;
    const columns = Object.values(schemas).flatMap((schema) => (schema.source === source ? schema.columns : []));
    for (const { name, type } of fields) {
      const isText = type === 'category';
      const other = columns.find((column) => column.name === name && (column.dtype === 'i4') !== isText);
      if (other === undefined) continue;
      const was = isText ? 'a number' : 'a category';
      const message = `field ${name} is a ${type}, and the log has events of ${source} in which it is ${was}; give the field a new name`;
      found.push({ path: ['sources', source, 'fields', name], message });
    }
  }
  return found;
}

function definitionRefusals(registry: Registry, { definitions }: Lasting): Refusal[] {
  return newDefinitions(registry, definitions).flatMap((view) => {
    const known = definitions.get(versionKey(view.name, view.version));
    if (known === undefined) return [];
    const what = `view ${view.name}, version ${view.version}, is defined otherwise than it was from position ${known.position} on`;
    const fix =
      'give it a new version, or force it: headrace serve --force-definitions, POST /registry/reload {"force": true}';
    const message = `${what}: ${differenceOf(known.plan, view.plan)}; ${fix}`;
    return [{ path: ['views', view.name, 'versions', view.version], message }];
  });
}
