/**
 * The one sentence that everything hangs on, as plain code: a value is a function of the definition, the entity's events
 * up to a position, and a moment. Written to be read, not to be fast.
 */
import type { Micros } from '../../src/clock.ts';
import type { Expression, Plan, PlanFeature } from '../../src/registry/view.ts';

export type Scalar = number | string | null;

/** One event of an entity, as far as values are concerned. */
export interface Known {
  source: string;
  ts: Micros;
  position: number;
  fields: Readonly<Record<string, Scalar>>;
}

export interface Value {
  /** One a feature of the plan, in its order. */
  features: Scalar[];
  /** The next moment at which an event enters or leaves a window; null: never. */
  validUntil: Micros | null;
  /** Newest timestamp in a window; null: the windows are empty. */
  eventTime: Micros | null;
}

type Windowed = Exclude<PlanFeature, { type: 'expression' }>;

/** @param events all of the entity's that are known and not late, in any order */
export function computeValue({ features, order, sources }: Plan, events: readonly Known[], asOf: Micros): Value {
  const sorted = events.toSorted((a, b) => a.ts - b.ts || a.position - b.position);
  const values: Scalar[] = features.map(() => null);
  let validUntil = Infinity;
  let eventTime = -Infinity;
  for (const [i, feature] of features.entries()) {
    if (feature.type === 'expression' || feature.type === 'python') continue;
    const { retention } = sources.find(({ name }) => name === feature.source)!;
    const window = Math.min(feature.window.time, retention);
    const known = sorted.filter(({ source }) => source === feature.source);
    const inside = known.filter(({ ts }) => ts > asOf - window && ts <= asOf);
    const next = known.find(({ ts }) => ts > asOf);
    if (inside.length > 0) validUntil = Math.min(validUntil, inside[0]!.ts + window);
    if (next !== undefined) validUntil = Math.min(validUntil, next.ts);
    if (inside.length > 0) eventTime = Math.max(eventTime, inside.at(-1)!.ts);
    values[i] = aggregate(feature, inside);
  }
  const byName = new Map(features.map(({ name }, i) => [name, i]));
  for (const i of order) {
    const feature = features[i]!;
    if (feature.type !== 'expression') continue;
    const result = evaluate(feature.expression, (name) => values[byName.get(name)!] as number | null);
    values[i] = result === null || !Number.isFinite(result) ? null : result;
  }
  return {
    features: values,
    validUntil: validUntil === Infinity ? null : validUntil,
    eventTime: eventTime === -Infinity ? null : eventTime,
  };
}

/** Moments in `(after, until]` at which the value changes without an event. */
export function changesOf(plan: Plan, events: readonly Known[], after: Micros, until: Micros): Micros[] {
  const moments: Micros[] = [];
  for (let at = computeValue(plan, events, after).validUntil; at !== null && at <= until; ) {
    moments.push(at);
    at = computeValue(plan, events, at).validUntil;
  }
  return moments;
}

function aggregate(feature: Windowed, inside: readonly Known[]): Scalar {
  if (feature.type !== 'statistical') throw new Error(`the simulation has no ${feature.type}`);
  const { field, aggregation } = feature;
  if (field === undefined) return inside.length;
  const values = inside.map(({ fields }) => fields[field] ?? null).filter((value) => value !== null);
  const sum = () => values.reduce<number>((total, value) => total + (value as number), 0);
  switch (aggregation) {
    case 'count':
      return values.length;
    case 'sum':
      return sum();
    case 'mean':
      return values.length === 0 ? null : sum() / values.length;
    case 'min':
      return values.length === 0 ? null : Math.min(...(values as number[]));
    case 'max':
      return values.length === 0 ? null : Math.max(...(values as number[]));
    case 'last':
      return values.at(-1) ?? null;
    default:
      throw new Error(`the simulation has no ${aggregation}`);
  }
}

function evaluate(expression: Expression, valueOfRef: (name: string) => number | null): number | null {
  if (typeof expression === 'number') return expression;
  if (expression[0] === 'ref') return valueOfRef(expression[1] as string);
  if (expression[0] !== '/') throw new Error(`the simulation has no ${expression[0]}`);
  const [left, right] = (expression.slice(1) as Expression[]).map((part) => evaluate(part, valueOfRef));
  return left === null || right === null ? null : left! / right!;
}
