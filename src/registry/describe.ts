import { DURATION_UNITS, formatDuration } from './durations.ts';
import { renderExpression } from './expression-text.ts';
import { renderTemplate } from './key-template.ts';
import { isHidden } from './names.ts';
import type { ExpressionFeature, FeatureService, PlanFeature, Registry, RequestFeature, Source, View } from './view.ts';

/** The registry as `GET /registry` shows it: names as in `features.yaml`, durations as text, defaults filled in. */
export function describeRegistry(registry: Registry) {
  return {
    project: registry.project,
    clock: registry.clock,
    entities: [...registry.entities].map(([name, { description }]) => ({ name, description })),
    sources: [...registry.sources.values()].map(describeSource),
    views: [...registry.views.values()].map(describeView),
    services: [...registry.services.values()].map(describeService),
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
    versions: versions.map((one) => ({ version: one.version, deprecated: one.deprecated, ...describeVersion(one) })),
  };
}

/** What it needs of others' features behind its own is left out. */
function describeService({ name, description, view }: FeatureService) {
  const { hash, history, inputs, features } = describeVersion(view);
  const listed = features.filter((feature) => !isHidden(feature.name));
  const { plan, ttl, exact } = view;
  return {
    name,
    description,
    entity: plan.entity,
    ttl: formatDuration(ttl),
    exact,
    hash,
    history,
    inputs,
    features: listed,
  };
}

function describeVersion(view: View) {
  return {
    hash: view.hash,
    history: formatDuration(view.history),
    inputs: Object.fromEntries(view.plan.request?.inputs.map(({ name, type }) => [name, type]) ?? []),
    features: describeFeatures(view),
  };
}

function describeFeatures({ plan, features, request }: View) {
  return [
    ...plan.features.map((feature, i) => describeFeature(feature, features[i]!.description)),
    ...(plan.request?.features ?? []).map((feature, i) => describeRequest(feature, request[i]!.description)),
  ];
}

function describeRequest({ name, output, expression, runs }: RequestFeature, description?: string) {
  const about = description === undefined ? {} : { description };
  return { name, type: 'request', output, ...about, definition: { expression: renderExpression(expression), runs } };
}

function describeFeature(feature: PlanFeature, description?: string) {
  const { name, type, output } = feature;
  const about = description === undefined ? {} : { description };
  return { name, type, output, ...about, definition: describeDefinition(feature) };
}

/** In the words of the file: the window's keys beside the others, trees and durations as text. */
function describeDefinition(feature: PlanFeature): Record<string, unknown> {
  if (feature.type === 'expression') return { expression: renderExpression(feature.expression) };
  const { name: _name, type: _type, output: _output, window, where, ...rest } = inMicros(feature);
  const { time, ...others } = window;
  const condition = where && renderExpression(where);
  const definition = { ...rest, window: formatDuration(time), ...others, where: condition };
  return Object.fromEntries(
    Object.entries(definition)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => (DURATIONS.has(key) ? [key, formatDuration(value as number)] : [key, value])),
  );
}

function inMicros(feature: Exclude<PlanFeature, ExpressionFeature>) {
  if (feature.type !== 'python') return feature;
  const { timeout_ms, ...rest } = feature;
  return { ...rest, timeout: timeout_ms * DURATION_UNITS.ms };
}

/** Keys that hold microseconds. */
const DURATIONS: ReadonlySet<string> = new Set(['timeout', 'gap', 'offset', 'per', 'half_life', 'step', 'recent']);
