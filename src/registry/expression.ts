/**
 * Expression text → tree with places, by recursive descent. Loosest first:
 *
 * ```
 * or → and → not → comparison (one, not chained) → + - → * / → unary - + → number | text | name | name(a, b) | ( … )
 * ```
 *
 * What a name stands for (a feature, an input, a field) is for the reader of the tree to say.
 */
import { ExpressionError, type Token, tokenise } from './expression-tokens.ts';
import { CALENDAR_FUNCTIONS, LIMITS, OPERATORS } from './grammar.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import { zoneProblem } from './time-zone.ts';
import type { CalendarFunction, Expression, Operator } from './view.ts';

/** An expression with the offsets of its parts in the text. */
export type Syntax =
  | { kind: 'number'; at: number; depth: 1; value: number }
  | { kind: 'text'; at: number; depth: 1; value: string }
  /** The time at hand: the event's in `where`, the request's elsewhere. */
  | { kind: 'time'; at: number; depth: 1 }
  | { kind: 'name'; at: number; depth: 1; name: string }
  | { kind: 'calendar'; at: number; depth: number; function: CalendarFunction; zone: string; operands: [Syntax] }
  | { kind: 'time_since'; at: number; depth: number; operands: [Syntax] }
  | { kind: 'operation'; at: number; depth: number; operator: Operator; operands: Syntax[] };

const BINARY: Record<'or' | 'and' | 'comparison' | 'sum' | 'product', readonly Operator[]> = {
  or: ['or'],
  and: ['and'],
  comparison: ['<', '<=', '>', '>=', '==', '!='],
  sum: ['+', '-'],
  product: ['*', '/'],
};

const CALENDAR: readonly string[] = CALENDAR_FUNCTIONS;

const CALLS: string[] = [
  ...Object.entries(OPERATORS).flatMap(([name, spec]) => (spec.call ? [name] : [])),
  ...CALENDAR,
  'time_since',
];

/** Functions of other languages, and what they are here. */
const FOREIGN_CALLS: ReadonlyMap<string, string> = new Map([
  ['if', 'write where(condition, a, b)'],
  ['iff', 'write where(condition, a, b)'],
  ['ifelse', 'write where(condition, a, b)'],
  ['ifnull', 'write coalesce(a, b)'],
  ['isnull', 'nulls are replaced, as in coalesce(a, 0)'],
  ['nvl', 'write coalesce(a, b)'],
  ['fillna', 'write coalesce(a, b)'],
  ['ln', 'write log'],
  ['pow', 'powers are not offered; multiply'],
  ['power', 'powers are not offered; multiply'],
  ['hour', 'write hour_of_day'],
  ['weekday', 'write day_of_week'],
  ['dayofweek', 'write day_of_week'],
]);

/** @throws ExpressionError at the first place where the text ceases to be an expression */
export function parseExpression(text: string): Syntax {
  if (text.length > LIMITS.expression_characters) {
    const limit = `an expression may have ${LIMITS.expression_characters} characters`;
    throw new ExpressionError(0, `found ${text.length} characters; ${limit}: split it into several features`);
  }
  return new Parser(tokenise(text)).whole();
}

/**
 * The tree without its places.
 *
 * @param time the time at hand
 * @param leafOf what a name stands for
 */
export function toExpression(
  syntax: Syntax,
  time: ['now'] | ['time'],
  leafOf: (name: string) => Expression,
): Expression {
  if (syntax.kind === 'number') return syntax.value;
  if (syntax.kind === 'text') return ['text', syntax.value];
  if (syntax.kind === 'time') return time;
  if (syntax.kind === 'name') return leafOf(syntax.name);
  const operands = syntax.operands.map((operand) => toExpression(operand, time, leafOf));
  if (syntax.kind === 'calendar') return [syntax.function, syntax.zone, operands[0]!];
  return syntax.kind === 'time_since' ? ['time_since', operands[0]!] : [syntax.operator, ...operands];
}

/** The names in an expression, in the order of the text, repeated where they are. */
export function namesIn(syntax: Syntax): { name: string; at: number }[] {
  if (syntax.kind === 'name') return [{ name: syntax.name, at: syntax.at }];
  return 'operands' in syntax ? syntax.operands.flatMap(namesIn) : [];
}

class Parser {
  readonly #tokens: Token[];
  #next = 0;
  #nested = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  whole(): Syntax {
    const syntax = this.#or();
    const rest = this.#peek();
    if (rest.kind === 'end') return syntax;
    if (BINARY.comparison.includes(rest.text as Operator)) {
      throw new ExpressionError(rest.at, `found a second comparison; write a < b and b < c`);
    }
    throw new ExpressionError(rest.at, `found ${quote(rest.text)}, expected an operator such as + or the end`);
  }

  #or(): Syntax {
    return this.#chain(BINARY.or, () => this.#and());
  }

  #and(): Syntax {
    return this.#chain(BINARY.and, () => this.#not());
  }

  #not(): Syntax {
    const token = this.#peek();
    if (token.text !== 'not') return this.#comparison();
    this.#next++;
    return this.#nest(token, () => operation('not', token.at, [this.#not()]));
  }

  #comparison(): Syntax {
    const left = this.#sum();
    const token = this.#peek();
    if (!BINARY.comparison.includes(token.text as Operator)) return left;
    this.#next++;
    return operation(token.text as Operator, token.at, [left, this.#sum()]);
  }

  #sum(): Syntax {
    return this.#chain(BINARY.sum, () => this.#product());
  }

  #product(): Syntax {
    return this.#chain(BINARY.product, () => this.#unary());
  }

  #chain(operators: readonly Operator[], operand: () => Syntax): Syntax {
    let left = operand();
    for (let token = this.#peek(); operators.includes(token.text as Operator); token = this.#peek()) {
      this.#next++;
      left = operation(token.text as Operator, token.at, [left, operand()]);
    }
    return left;
  }

  #unary(): Syntax {
    const token = this.#peek();
    if (token.text !== '-' && token.text !== '+') return this.#primary();
    this.#next++;
    const operand = this.#nest(token, () => this.#unary());
    if (token.text === '+') return operand;
    if (operand.kind === 'number') return { ...operand, at: token.at, value: 0 - operand.value };
    return operation('neg', token.at, [operand]);
  }

  #primary(): Syntax {
    const token = this.#peek();
    this.#next++;
    if (token.kind === 'number') return number(token);
    if (token.kind === 'text') return { kind: 'text', at: token.at, depth: 1, value: token.text.slice(1, -1) };
    if (token.text === '(') return this.#nest(token, () => this.#closed(this.#or()));
    if (token.kind === 'name' && this.#peek().text === '(') return this.#nest(token, () => this.#call(token));
    if (token.kind === 'name' && token.text !== 'and' && token.text !== 'or' && token.text !== 'not') {
      return { kind: 'name', at: token.at, depth: 1, name: token.text };
    }
    const found = token.kind === 'end' ? 'the end' : quote(token.text);
    throw new ExpressionError(token.at, `found ${found}, expected a name, a number, a text or a function`);
  }

  #call(name: Token): Syntax {
    if (!CALLS.includes(name.text)) {
      const known = FOREIGN_CALLS.get(name.text.toLowerCase());
      const hint = known === undefined ? didYouMean(name.text, CALLS) : `; ${known}`;
      throw new ExpressionError(name.at, `unknown function ${quote(name.text)}; there is ${listOf(CALLS)}${hint}`);
    }
    this.#next++;
    const operands: Syntax[] = [];
    if (this.#peek().text !== ')' || !CALENDAR.includes(name.text)) operands.push(this.#or());
    while (this.#peek().text === ',') {
      this.#next++;
      operands.push(this.#or());
    }
    return this.#closed(call(name, operands));
  }

  #closed(syntax: Syntax): Syntax {
    const token = this.#peek();
    if (token.text !== ')') {
      const found = token.kind === 'end' ? 'the end' : quote(token.text);
      throw new ExpressionError(token.at, `found ${found}, expected an operator or the closing )`);
    }
    this.#next++;
    return syntax;
  }

  /** Bounds the recursion of this parser; the depth of the tree is bounded where it is made. */
  #nest(at: Token, inner: () => Syntax): Syntax {
    this.#nested++;
    if (this.#nested > LIMITS.expression_depth) throw tooDeep(at.at);
    const syntax = inner();
    this.#nested--;
    return syntax;
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }
}

function call(name: Token, operands: Syntax[]): Syntax {
  const known = OPERATORS[name.text as Operator];
  if (known === undefined) return timeCall(name, operands);
  const {
    arguments: { length },
    repeats,
  } = known;
  if (operands.length < length || (operands.length > length && repeats === undefined)) {
    throw wrongCount(name, `${repeats === undefined ? '' : 'at least '}${length}`, operands);
  }
  return operation(name.text as Operator, name.at, operands);
}

function timeCall(name: Token, operands: Syntax[]): Syntax {
  if (name.text === 'time_since') {
    if (operands.length > 1) throw wrongCount(name, '1', operands);
    const depth = depthOver(name.at, operands);
    return { kind: 'time_since', at: name.at, depth, operands: [operands[0]!] };
  }
  if (operands.length > 2) throw wrongCount(name, 'at most 2', operands);
  const [first, second] = operands;
  // A text is no time, so a single one is the zone.
  const zone = second ?? (first?.kind === 'text' ? first : undefined);
  const time: Syntax = first === undefined || first === zone ? { kind: 'time', at: name.at, depth: 1 } : first;
  if (zone !== undefined && zone.kind !== 'text') {
    throw new ExpressionError(zone.at, `${name.text} takes a time zone in quotes here, such as 'Europe/Paris'`);
  }
  const problem = zone === undefined ? null : zoneProblem(zone.value);
  if (problem !== null) throw new ExpressionError(zone!.at, problem);
  return {
    kind: 'calendar',
    at: name.at,
    depth: depthOver(name.at, [time]),
    function: name.text as CalendarFunction,
    zone: zone?.value ?? 'UTC',
    operands: [time],
  };
}

function wrongCount(name: Token, expected: string, { length }: Syntax[]): ExpressionError {
  const noun = expected.endsWith('1') ? 'argument' : 'arguments';
  return new ExpressionError(name.at, `${name.text} takes ${expected} ${noun}, found ${length}`);
}

function operation(operator: Operator, at: number, operands: Syntax[]): Syntax {
  return { kind: 'operation', at, depth: depthOver(at, operands), operator, operands };
}

function depthOver(at: number, operands: Syntax[]): number {
  const depth = 1 + Math.max(...operands.map((operand) => operand.depth));
  if (depth > LIMITS.expression_depth) throw tooDeep(at);
  return depth;
}

function number(token: Token): Syntax {
  const value = Number(token.text);
  if (!Number.isFinite(value)) throw new ExpressionError(token.at, `${quote(token.text)} is too large for a number`);
  return { kind: 'number', at: token.at, depth: 1, value };
}

const tooDeep = (at: number): ExpressionError =>
  new ExpressionError(at, `nested more than ${LIMITS.expression_depth} deep; split it into several features`);
