import type { Registry, Source, View } from '../registry/view.ts';
import type { RegistryAnswer } from '../wire/bodies.ts';

/** What `GET /registry` says: the compiled registry in the units of the wire. */
export function registryAnswer(registry: Registry): RegistryAnswer {
  return {
    project: registry.project,
    clock: registry.clock,
    entities: [...registry.entities].map(([name, { description }]) => ({ name, description })),
    sources: [...registry.sources.values()].map(sourceAnswer),
    views: [...registry.views.values()].flat().map(viewAnswer),
  };
}

function sourceAnswer(source: Source): RegistryAnswer['sources'][number] {
  return {
    name: source.name,
    keys: Object.fromEntries(source.keys.map(({ entity, template }) => [entity, templateText(template)])),
    timestamp: source.timestamp,
    fields: Object.fromEntries(source.fields.map(({ name, type }) => [name, type])),
    lateness_ms: source.lateness / 1000,
    max_ahead_ms: source.maxAhead / 1000,
    retention_ms: source.retention / 1000,
    history_ms: source.history / 1000,
  };
}

/** Text and column names take turns in a template. */
const templateText = (template: string[]): string =>
  template.map((part, i) => (i % 2 === 0 ? part : `{${part}}`)).join('');

function viewAnswer(view: View): RegistryAnswer['views'][number] {
  return {
    name: view.name,
    version: view.version,
    hash: view.hash,
    entity: view.plan.entity,
    description: view.description,
    ttl_ms: view.ttl / 1000,
    exact: view.exact,
    history_ms: view.history / 1000,
    features: view.plan.features.map(({ name, type, output }) => ({ name, type, output })),
  };
}
