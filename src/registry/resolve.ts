/** What a request names → what the registry has. */
import { HeadraceError } from '../errors.ts';
import { isHidden } from './names.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { FeatureService, Registry, View } from './view.ts';

/**
 * @param today ISO date by the wall clock: a version left out is the last listed that is not deprecated on it, or the
 * last of all where they all are
 * @param name may be left out where the registry has one view
 * @throws HeadraceError `unknown_view`, `unknown_version`, `version_removed`, or `bad_request` where a name is left out
 * that must not be
 */
export function resolveView(registry: Registry, today: string, name?: string, version?: string): View {
  const versions = name === undefined ? onlyView(registry) : registry.views.get(name);
  if (versions === undefined) {
    refuseRemoved(registry, name!, version);
    const guess = didYouMean(name!, registry.views.keys());
    throw new HeadraceError('unknown_view', `There is no view ${quote(name!)}; ${thereIs(registry)}${guess}`);
  }
  const view = version === undefined ? newest(versions, today) : versions.find((one) => one.version === version);
  if (view !== undefined) return view;
  refuseRemoved(registry, versions[0]!.name, version);
  const names = versions.map((one) => one.version);
  const guess = didYouMean(version!, names);
  const sentence = `View ${versions[0]!.name} has no version ${quote(version!)}; there is ${listOf(names)}${guess}`;
  throw new HeadraceError('unknown_version', sentence);
}

/** A caller that asks for what once was is not mistaken, only late. */
function refuseRemoved({ removed, views }: Registry, name: string, version?: string): void {
  const gone = removed?.get(name);
  const versions = views.get(name)?.map((one) => one.version);
  if (gone === undefined || (version !== undefined ? !gone.has(version) : versions !== undefined)) return;
  const what = version === undefined ? `View ${quote(name)}` : `Version ${quote(version)} of view ${name}`;
  const there = versions === undefined ? 'the whole view is gone' : `there is ${listOf(versions)} now`;
  throw new HeadraceError('version_removed', `${what} was removed from the registry; ${there}`);
}

/** Whether callers of the view are warned on a day, an ISO date. */
export const isDeprecated = (view: View, today: string): boolean =>
  view.deprecated !== null && view.deprecated <= today;

const newest = (versions: View[], today: string): View =>
  versions.findLast((view) => !isDeprecated(view, today)) ?? versions.at(-1)!;

/** @throws HeadraceError `unknown_service` */
export function resolveService({ services }: Registry, name: string): FeatureService {
  const service = services.get(name);
  if (service !== undefined) return service;
  const there = services.size === 0 ? 'the registry has none' : `there is ${listOf(services.keys())}`;
  const sentence = `There is no service ${quote(name)}; ${there}`;
  throw new HeadraceError('unknown_service', `${sentence}${didYouMean(name, services.keys())}`);
}

/** Which features an answer has, each once and in the order asked; null: all of the kind, in their order. */
export interface Selection {
  /** Indexes into `view.features`. */
  select: number[] | null;
  /** Indexes into `view.request`. */
  request: number[] | null;
}

/**
 * The features of either kind that a request names, or all that are not hidden where it names none.
 *
 * @throws HeadraceError `unknown_feature` with every name that the view does not have, or `bad_request` for no name at all
 */
export function resolveFeatures(view: View, names?: string[]): Selection {
  const { all, byName } = indexOf(view);
  if (names === undefined) return all;
  if (names.length === 0) {
    throw new HeadraceError('bad_request', 'The list of features is empty; name some, or leave it out for all.');
  }
  const found = { select: new Set<number>(), request: new Set<number>() };
  const unknown = new Set<string>();
  for (const name of names) {
    const place = byName.get(name);
    if (place === undefined) unknown.add(name);
    else found[place.kind].add(place.at);
  }
  if (unknown.size === 0) return { select: [...found.select], request: [...found.request] };
  const first = [...unknown][0]!;
  const which = [...unknown].slice(0, 5).map(quote).join(', ') + (unknown.size > 5 ? ', …' : '');
  const there = `there is ${listOf(byName.keys())}`;
  const sentence = `View ${view.name}@${view.version} has no feature ${which}; ${there}${didYouMean(first, byName.keys())}`;
  throw new HeadraceError('unknown_feature', sentence);
}

interface FeaturePlace {
  kind: keyof Selection;
  at: number;
}

interface Index {
  all: Selection;
  byName: Map<string, FeaturePlace>;
}

const indexes = new WeakMap<View, Index>();

function indexOf(view: View): Index {
  let index = indexes.get(view);
  if (index === undefined) {
    const select = visible(view.features);
    const request = visible(view.request);
    const byName = new Map<string, FeaturePlace>();
    for (const at of select) byName.set(view.features[at]!.name, { kind: 'select', at });
    for (const at of request) byName.set(view.request[at]!.name, { kind: 'request', at });
    const all = {
      select: select.length === view.features.length ? null : select,
      request: request.length === view.request.length ? null : request,
    };
    index = { all, byName };
    indexes.set(view, index);
  }
  return index;
}

const visible = (features: { name: string }[]): number[] =>
  features.flatMap(({ name }, i) => (isHidden(name) ? [] : [i]));

function onlyView(registry: Registry): View[] {
  const views = [...registry.views.values()];
  if (views.length === 1) return views[0]!;
  throw new HeadraceError('bad_request', `The registry has several views, so say which; ${thereIs(registry)}`);
}

const thereIs = (registry: Registry): string => `there is ${listOf(registry.views.keys())}`;
