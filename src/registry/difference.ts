/** What makes two definitions of one version different, in words of `features.yaml`. */
import { formatDuration } from './durations.ts';
import { renderExpression } from './expression-text.ts';
import { renderTemplate } from './key-template.ts';
import type { Expression, Plan, PlanSource } from './view.ts';

/** Differences told at most; one is enough to find the line. */
const TOLD = 5;
/** Keys whose numbers are microseconds. */
const DURATIONS = new Set(['time', 'gap', 'offset', 'per', 'half_life', 'step', 'recent', 'retention']);

type Named = { name: string };

/** @returns at most five differences with `old → new`, separated by semicolons */
export function differenceOf(before: Plan, after: Plan): string {
  const told: string[] = [];
  if (before.entity !== after.entity) told.push(`the entity ${before.entity} → ${after.entity}`);
  told.push(...compareSources(before.sources, after.sources));
  told.push(...compareLists('feature', before.features, after.features));
  told.push(...compareLists('feature', before.request?.features ?? [], after.request?.features ?? []));
  told.push(...compareLists('input', before.request?.inputs ?? [], after.request?.inputs ?? []));
  if (told.length === 0) told.push(...compareOrder(before.features, after.features));
  const more = told.length > TOLD ? `; and ${told.length - TOLD} more` : '';
  return `${told.slice(0, TOLD).join('; ')}${more}`;
}

/** Which sources and fields a plan has follows from its features; told is what they are. */
function compareSources(before: readonly PlanSource[], after: readonly PlanSource[]): string[] {
  return before.flatMap((old) => {
    const same = after.find(({ name }) => name === old.name);
    if (same === undefined) return [];
    const difference = firstDifference(plain(old, same), plain(same, old), []);
    return difference === null ? [] : [`source ${old.name}: ${difference}`];
  });
}

/** With the fields that the other has too, by name, for their order means nothing. */
function plain({ fields, template, ...rest }: PlanSource, other: PlanSource): object {
  const common = other.fields.flatMap(({ name }) => fields.filter((field) => field.name === name));
  const types = Object.fromEntries(common.map(({ name, type }) => [name, type]));
  return { ...rest, key: renderTemplate(template), fields: types };
}

function compareLists(noun: string, before: readonly Named[], after: readonly Named[]): string[] {
  const then = new Map(before.map((one) => [one.name, one]));
  const now = new Map(after.map((one) => [one.name, one]));
  const told: string[] = [];
  for (const [name, old] of then) {
    const same = now.get(name);
    if (same === undefined) told.push(`${noun} ${name} is gone`);
    else {
      const difference = firstDifference(old, same, []);
      if (difference !== null) told.push(`${noun} ${name}: ${difference}`);
    }
  }
  for (const name of now.keys()) if (!then.has(name)) told.push(`${noun} ${name} is new`);
  return told;
}

function compareOrder(before: readonly Named[], after: readonly Named[]): string[] {
  const at = before.findIndex(({ name }, i) => name !== after[i]!.name);
  return at < 0 ? [] : [`the order of the features: ${before[at]!.name} → ${after[at]!.name} in place ${at + 1}`];
}

/** The first key under which the two differ, as `window.time 1h → 7d`; null: none. */
function firstDifference(before: unknown, after: unknown, path: readonly string[]): string | null {
  if (isMap(before) && isMap(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const difference = firstDifference(before[key], after[key], [...path, key]);
      if (difference !== null) return difference;
    }
    return null;
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return null;
  const key = path.at(-1)!;
  if (key === 'digest') return 'the source text of its Python function has changed';
  return `${path.join('.')} ${shown(key, before)} → ${shown(key, after)}`;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function shown(key: string, value: unknown): string {
  if (value === undefined) return 'nothing';
  if (DURATIONS.has(key) && typeof value === 'number') return formatDuration(value);
  if (key === 'expression' || key === 'where') return JSON.stringify(renderExpression(value as Expression));
  return typeof value === 'string' ? value : JSON.stringify(value);
}
