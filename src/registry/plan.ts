import { createHash } from 'node:crypto';
import { nodesOf } from './expression-tree.ts';
import type { Settled } from './settle.ts';
import type { Plan, PlanSource, Source } from './view.ts';

/** The plan of one version: its features, and of the sources what they use. */
export function makePlan(
  entity: string,
  { features, order, request, inputs }: Settled,
  sources: ReadonlyMap<string, Source>,
): Plan {
  const used = new Map<string, Set<string>>();
  for (const feature of features) {
    if (feature.type === 'expression') continue;
    const fields = used.get(feature.source) ?? new Set();
    used.set(feature.source, fields);
    if (feature.type === 'python') for (const field of feature.fields) fields.add(field);
    if ('field' in feature && feature.field !== undefined) fields.add(feature.field);
    for (const [word, name] of feature.where === undefined ? [] : nodesOf(feature.where)) {
      if (word === 'field') fields.add(name as string);
    }
  }
  const planSources: PlanSource[] = [];
  for (const source of sources.values()) {
    const fields = used.get(source.name);
    if (fields === undefined) continue;
    planSources.push({
      name: source.name,
      template: source.keys.find((key) => key.entity === entity)!.template,
      timestamp: source.timestamp,
      fields: source.fields.filter((field) => fields.has(field.name)),
      retention: source.retention,
    });
  }
  const plan = { entity, sources: planSources, features, order };
  return request.length === 0 ? plan : { ...plan, request: { inputs, features: request } };
}

/**
 * The definition hash: SHA-256 of the plan as JSON with sorted keys, first 16 hexadecimal digits. The order of sources
 * and of their fields means nothing and is sorted out first; the order of features is that of the values and counts.
 * What is made of a request is part of it.
 */
export function hashPlan(plan: Plan): string {
  const sources = plan.sources.map((source) => ({ ...source, fields: source.fields.toSorted(byName) })).sort(byName);
  return createHash('sha256')
    .update(canonicalJson({ ...plan, sources }))
    .digest('hex')
    .slice(0, 16);
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
