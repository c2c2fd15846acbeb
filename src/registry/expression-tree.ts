import type { Expression } from './view.ts';

/** All parts of a tree but its numbers, the whole first. */
export function nodesOf(expression: Expression): Exclude<Expression, number>[] {
  if (typeof expression === 'number') return [];
  const [, ...rest] = expression;
  return [expression, ...rest.flatMap((part) => (Array.isArray(part) ? nodesOf(part) : []))];
}

/** The inputs of a request that a tree names. */
export const inputsIn = (expression: Expression): string[] =>
  nodesOf(expression).flatMap(([word, name]) => (word === 'input' ? [name as string] : []));

/** The tree with its references to features renamed. */
export function mapNames(expression: Expression, rename: (feature: string) => string): Expression {
  if (typeof expression === 'number') return expression;
  if (expression[0] === 'ref') return ['ref', rename(expression[1] as string)];
  const map = (part: unknown): unknown => (Array.isArray(part) ? mapNames(part as Expression, rename) : part);
  return expression.map(map) as Expression;
}
