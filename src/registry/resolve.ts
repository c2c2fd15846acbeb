/** What a request names → what the registry has. */
import { HeadraceError } from '../errors.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { Registry, View } from './view.ts';

/**
 * @param name may be left out where the registry has one view
 * @param version left out: the last listed
 * @throws HeadraceError `unknown_view`, `unknown_version`, or `bad_request` where a name is left out that must not be
 */
export function resolveView(registry: Registry, name?: string, version?: string): View {
  const versions = name === undefined ? onlyView(registry) : registry.views.get(name);
  if (versions === undefined) {
    const guess = didYouMean(name!, registry.views.keys());
    throw new HeadraceError('unknown_view', `There is no view ${quote(name!)}; ${thereIs(registry)}${guess}`);
  }
  const view = version === undefined ? versions.at(-1) : versions.find((one) => one.version === version);
  if (view !== undefined) return view;
  const names = versions.map((one) => one.version);
  const guess = didYouMean(version!, names);
  const sentence = `View ${versions[0]!.name} has no version ${quote(version!)}; there is ${listOf(names)}${guess}`;
  throw new HeadraceError('unknown_version', sentence);
}

/**
 * @returns indexes into `view.features` in the order asked, each once; null for all, where `names` is left out
 * @throws HeadraceError `unknown_feature` with every name that the view does not have, or `bad_request` for no name at all
 */
export function resolveFeatures(view: View, names?: string[]): number[] | null {
  if (names === undefined) return null;
  if (names.length === 0) {
    throw new HeadraceError('bad_request', 'The list of features is empty; name some, or leave it out for all.');
  }
  const index = indexOf(view);
  const select = new Set<number>();
  const unknown = new Set<string>();
  for (const name of names) {
    const i = index.get(name);
    if (i === undefined) unknown.add(name);
    else select.add(i);
  }
  if (unknown.size === 0) return [...select];
  const first = [...unknown][0]!;
  const which = [...unknown].slice(0, 5).map(quote).join(', ') + (unknown.size > 5 ? ', …' : '');
  const there = `there is ${listOf(index.keys())}`;
  const sentence = `View ${view.name}@${view.version} has no feature ${which}; ${there}${didYouMean(first, index.keys())}`;
  throw new HeadraceError('unknown_feature', sentence);
}

const indexes = new WeakMap<View, Map<string, number>>();

function indexOf(view: View): Map<string, number> {
  let index = indexes.get(view);
  if (index === undefined) {
    index = new Map(view.features.map((feature, i) => [feature.name, i]));
    indexes.set(view, index);
  }
  return index;
}

function onlyView(registry: Registry): View[] {
  const views = [...registry.views.values()];
  if (views.length === 1) return views[0]!;
  throw new HeadraceError('bad_request', `The registry has several views, so say which; ${thereIs(registry)}`);
}

const thereIs = (registry: Registry): string => `there is ${listOf(registry.views.keys())}`;
