import type { Registry, View } from './view.ts';

/** Every view that may be computed: the versions of all views, and those that feature services are compiled into. */
export function allViews(registry: Registry): View[] {
  return [...[...registry.views.values()].flat(), ...[...registry.services.values()].map(({ view }) => view)];
}
