import { formatDuration } from './durations.ts';
import { renderExpression } from './expression-text.ts';
import { renderTemplate } from './key-template.ts';
import type { PlanFeature, Registry, Source, View } from './view.ts';

/** The registry as `GET /registry` shows it: names as in `features.yaml`, durations as text, defaults filled in. */
export function describeRegistry(registry: Registry) {
  return {
    project: registry.project,
    clock: registry.clock,
    entities: [...registry.entities].map(([name, { description }]) => ({ name, description })),
    sources: [...registry.sources.values()].map(describeSource),
    views: [...registry.views.values()].map(describeView),
  };
}

function describeSource(source: Source) {
  return {
    name: source.name,
    keys: Object.fromEntries(source.keys.map(({ entity, template }) => [entity, renderTemplate(template)])),
    timestamp: source.timestamp,
    fields: Object.fromEntries(source.fields.map(({ name, type }) => [name, type])),
    lateness: formatDuration(source.lateness),
    max_ahead: formatDuration(source.maxAhead),
    retention: formatDuration(source.retention),
    history: formatDuration(source.history),
  };
}

function describeView(versions: View[]) {
  const view = versions[0]!;
  return {
    name: view.name,
    description: view.description,
    entity: view.plan.entity,
    ttl: formatDuration(view.ttl),
    exact: view.exact,
    update_age_on_get: view.updateAgeOnGet,
    stale_while_revalidate: formatDuration(view.staleWhileRevalidate),
    versions: versions.map((one) => ({
      version: one.version,
      hash: one.hash,
      history: formatDuration(one.history),
      features: one.plan.features.map((feature, i) => describeFeature(feature, one.features[i]!.description)),
    })),
  };
}

function describeFeature(feature: PlanFeature, description?: string) {
  const { name, type, output, ...rest } = feature;
  const about = description === undefined ? {} : { description };
  const definition =
    feature.type === 'expression'
      ? { expression: renderExpression(feature.expression) }
      : { ...rest, window: formatDuration(feature.window.time) };
  return { name, type, output, ...about, definition };
}
