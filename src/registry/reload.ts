/** What a new registry changes against the one that serves. */
import { isDeepStrictEqual } from 'node:util';
import { allViews } from './all-views.ts';
import type { Registry, View } from './view.ts';

export interface Change {
  /** The new registry; what is the same in both is the old one's object, so that all that hangs on it goes on. */
  registry: Registry;
  /** `view@version`, and `service NAME` for feature services, in the order of the registry that has them. */
  added: string[];
  removed: string[];
  /** Of another definition or with other options (ttl, description…). */
  changed: string[];
  unchanged: string[];
  /** Names of sources that are new, gone or otherwise declared. */
  sources: string[];
  /** Views of the old registry that must not be asked any more, and whether their name is still there. */
  gone: { view: View; redefined: boolean }[];
  /** Views of the same definition as before with other options. */
  renewed: View[];
}

export function changeOf(before: Registry, after: Registry): Change {
  const then = new Map(allViews(before).map((view) => [nameOf(view), view]));
  const now = new Map(allViews(after).map((view) => [nameOf(view), view]));
  const kept = new Map<View, View>();
  const change = {
    added: [] as string[],
    removed: [...then.keys()].filter((name) => !now.has(name)),
    changed: [] as string[],
    unchanged: [] as string[],
    gone: [] as Change['gone'],
    renewed: [] as View[],
  };
  for (const [name, view] of now) {
    const old = then.get(name);
    if (old === undefined) {
      change.added.push(name);
    } else if (isDeepStrictEqual(old, view)) {
      change.unchanged.push(name);
      kept.set(view, old);
    } else {
      change.changed.push(name);
      if (old.hash === view.hash) change.renewed.push(view);
      else change.gone.push({ view: old, redefined: true });
    }
  }
  for (const name of change.removed) change.gone.push({ view: then.get(name)!, redefined: false });
  return { ...change, sources: changedSources(before, after), registry: withKept(after, kept) };
}

/** How a version, or the view of a service, is called in answers and log lines. */
export function nameOf({ name, version }: View): string {
  return version === 'service' ? `service ${name}` : `${name}@${version}`;
}

function changedSources(before: Registry, after: Registry): string[] {
  const names = new Set([...before.sources.keys(), ...after.sources.keys()]);
  return [...names].filter((name) => !isDeepStrictEqual(before.sources.get(name), after.sources.get(name)));
}

function withKept(registry: Registry, kept: ReadonlyMap<View, View>): Registry {
  const known = (view: View): View => kept.get(view) ?? view;
  return {
    ...registry,
    views: new Map([...registry.views].map(([name, versions]) => [name, versions.map(known)])),
    services: new Map([...registry.services].map(([name, one]) => [name, { ...one, view: known(one.view) }])),
  };
}
