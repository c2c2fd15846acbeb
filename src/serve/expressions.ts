/**
 * Checked expressions as closures over one row: the twin of `python/headrace/expressions/operators.py`, whose rules they keep to
 * the bit (test/vectors/request.json). What is not finite is null, at every step; null is NaN, or null for a text;
 * truth is 1 and 0.
 */
import type { Expression, Operator } from '../registry/view.ts';
import { calendar } from './calendar.ts';

/** What an expression reads: `Scope` is whatever its leaves do. */
export interface Leaves<Scope> {
  ref(name: string): Evaluate<Scope>;
  input(name: string): Evaluate<Scope>;
  now(scope: Scope): number;
}

export type Evaluate<Scope> =
  | { text: false; of: (scope: Scope) => number }
  | { text: true; of: (scope: Scope) => string | null };

type OfNumber<Scope> = (scope: Scope) => number;

const NULL = Number.NaN;

/** Adds 0 to what is finite, and NaN to what is not; −0 becomes 0. */
const finite = (value: number): number => value + (value - value);
const isNull = (value: number): boolean => Number.isNaN(value);
const truth = (value: boolean): number => (value ? 1 : 0);

const UNARY: Partial<Record<Operator, (a: number) => number>> = {
  neg: (a) => 0 - a,
  not: (a) => (isNull(a) ? NULL : truth(a === 0)),
  abs: Math.abs,
  sqrt: (a) => finite(Math.sqrt(a)),
};

const strict = (test: (a: number, b: number) => boolean) => (a: number, b: number) =>
  isNull(a) || isNull(b) ? NULL : truth(test(a, b));

const BINARY: Partial<Record<Operator, (a: number, b: number) => number>> = {
  '+': (a, b) => finite(a + b),
  '-': (a, b) => finite(a - b),
  '*': (a, b) => finite(a * b),
  '/': (a, b) => finite(a / b),
  '<': strict((a, b) => a < b),
  '<=': strict((a, b) => a <= b),
  '>': strict((a, b) => a > b),
  '>=': strict((a, b) => a >= b),
  '==': strict((a, b) => a === b),
  '!=': strict((a, b) => a !== b),
  and: strict((a, b) => a !== 0 && b !== 0),
  or: strict((a, b) => a !== 0 || b !== 0),
  // Both give NaN where one is.
  min: Math.min,
  max: Math.max,
  coalesce: (a, b) => (isNull(a) ? b : a),
};

/**
 * @throws Error where the tree has an operator that the main thread does not evaluate: `log` and `exp`, whose bits
 * differ from NumPy's, and what belongs to events
 */
export function compileExpression<Scope>(tree: Expression, leaves: Leaves<Scope>): Evaluate<Scope> {
  if (typeof tree === 'number') return { text: false, of: () => tree };
  switch (tree[0]) {
    case 'ref':
      return leaves.ref(tree[1] as string);
    case 'input':
      return leaves.input(tree[1] as string);
    case 'text':
      return { text: true, of: () => tree[1] as string };
    default:
      return { text: false, of: compileNumber(tree, leaves) };
  }
}

function compileNumber<Scope>(tree: Expression, leaves: Leaves<Scope>): OfNumber<Scope> {
  const number = (part: Expression): OfNumber<Scope> => {
    const evaluate = compileExpression(part, leaves);
    if (evaluate.text) throw new Error(`the text ${JSON.stringify(part)} stands where a number must`);
    return evaluate.of;
  };
  const [operator, ...parts] = tree as [Operator, ...Expression[]];
  switch (operator as string) {
    case 'now':
      return (scope) => leaves.now(scope);
    case 'time_since': {
      const time = number(parts[0]!);
      return (scope) => finite((leaves.now(scope) - time(scope)) / 1e6);
    }
    case 'hour_of_day':
    case 'day_of_week':
    case 'is_weekend':
    case 'day_of_month':
    case 'month': {
      const part = calendar(operator as never, parts[0] as never);
      const time = number(parts[1]!);
      return (scope) => part(time(scope));
    }
    case 'where': {
      const [condition, then, otherwise] = parts.map(number) as [OfNumber<Scope>, OfNumber<Scope>, OfNumber<Scope>];
      return (scope) => {
        const chosen = condition(scope);
        return isNull(chosen) ? NULL : chosen === 0 ? otherwise(scope) : then(scope);
      };
    }
    case '==':
    case '!=': {
      const [left, right] = parts.map((part) => compileExpression(part, leaves));
      if (left!.text && right!.text) return sameText(left!.of, right!.of, operator === '==');
    }
  }
  return compileOperator(operator, parts.map(number));
}

function sameText<Scope>(
  left: (scope: Scope) => string | null,
  right: (scope: Scope) => string | null,
  wanted: boolean,
): OfNumber<Scope> {
  return (scope) => {
    const a = left(scope);
    const b = right(scope);
    return a === null || b === null ? NULL : truth((a === b) === wanted);
  };
}

function compileOperator<Scope>(operator: Operator, parts: OfNumber<Scope>[]): OfNumber<Scope> {
  const unary = UNARY[operator];
  const first = parts[0]!;
  if (unary !== undefined) return (scope) => unary(first(scope));
  const binary = BINARY[operator];
  if (binary === undefined) throw new Error(`the main thread does not evaluate ${JSON.stringify(operator)}`);
  return parts.slice(1).reduce((left, right) => (scope) => binary(left(scope), right(scope)), first);
}
