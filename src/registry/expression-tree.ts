import type { Expression } from './view.ts';

/** All parts of a tree but its numbers, the whole first. */
export function nodesOf(expression: Expression): Exclude<Expression, number>[] {
  if (typeof expression === 'number') return [];
  const [, ...rest] = expression;
  return [expression, ...rest.flatMap((part) => (Array.isArray(part) ? nodesOf(part) : []))];
}
