/**
 * Expression text → tree with places, by recursive descent. Loosest first:
 *
 * ```
 * or → and → not → comparison (one, not chained) → + - → * / → unary - + → number | feature | name(a, b) | ( … )
 * ```
 */
import { LIMITS, OPERATORS } from './grammar.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { Expression, Operator } from './view.ts';

/** An expression with the offsets of its parts in the text. */
export type Syntax =
  | { kind: 'number'; at: number; depth: 1; value: number }
  | { kind: 'ref'; at: number; depth: 1; name: string }
  | { kind: 'operation'; at: number; depth: number; operator: Operator; operands: Syntax[] };

/** A text that is no expression; `at` is the offset in it, from 0. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

interface Token {
  kind: 'number' | 'name' | 'sign' | 'end';
  text: string;
  at: number;
}

const TOKEN = /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(<=|>=|==|!=|\*(?!\*)|[-+/<>(),]))/y;

/** Signs of other languages, and what they are here. */
const FOREIGN_SIGNS: [string, string][] = [
  ['&&', 'write and'],
  ['||', 'write or'],
  ['**', 'powers are not offered; multiply'],
  ['^', 'powers are not offered; multiply'],
  ['%', 'remainders are not offered'],
  ['=', 'to compare, write =='],
  ['!', 'write not'],
  ['&', 'write and'],
  ['|', 'write or'],
  ['?', 'write where(condition, a, b)'],
];

const BINARY: Record<'or' | 'and' | 'comparison' | 'sum' | 'product', readonly Operator[]> = {
  or: ['or'],
  and: ['and'],
  comparison: ['<', '<=', '>', '>=', '==', '!='],
  sum: ['+', '-'],
  product: ['*', '/'],
};

const CALLS = Object.entries(OPERATORS).flatMap(([name, spec]) => (spec.call ? [name as Operator] : []));

/** @throws ExpressionError at the first place where the text ceases to be an expression */
export function parseExpression(text: string): Syntax {
  if (text.length > LIMITS.expression_characters) {
    const limit = `an expression may have ${LIMITS.expression_characters} characters`;
    throw new ExpressionError(0, `found ${text.length} characters; ${limit}: split it into several features`);
  }
  return new Parser(tokenise(text)).whole();
}

/** The tree without its places. */
export function toExpression(syntax: Syntax): Expression {
  if (syntax.kind === 'number') return syntax.value;
  if (syntax.kind === 'ref') return ['ref', syntax.name];
  return [syntax.operator, ...syntax.operands.map(toExpression)];
}

/** The features that an expression names, in the order of the text, repeated where they are. */
export function references(syntax: Syntax): { name: string; at: number }[] {
  if (syntax.kind === 'ref') return [{ name: syntax.name, at: syntax.at }];
  return syntax.kind === 'number' ? [] : syntax.operands.flatMap(references);
}

/** A text that {@link parseExpression} reads as the same tree. */
export function renderExpression(expression: Expression): string {
  if (typeof expression === 'number') return String(expression);
  if (expression[0] === 'ref') return expression[1] as string;
  const [operator, ...operands] = expression as [Operator, ...Expression[]];
  if (OPERATORS[operator].call) return `${operator}(${operands.map(renderExpression).join(', ')})`;
  const parts = operands.map(renderOperand);
  if (operator === 'neg') return `-${parts[0]}`;
  return operator === 'not' ? `not ${parts[0]}` : parts.join(` ${operator} `);
}

/** In parentheses where it is itself written with a sign. */
function renderOperand(expression: Expression): string {
  const text = renderExpression(expression);
  if (typeof expression === 'number' || expression[0] === 'ref') return text;
  return OPERATORS[expression[0] as Operator].call ? text : `(${text})`;
}

function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw foreign(text, from + /^\s*/.exec(text.slice(from))![0].length);
    const word = match[0].trimStart();
    const kind = match[1] !== undefined ? 'number' : match[2] !== undefined ? 'name' : 'sign';
    tokens.push({ kind, text: word, at: TOKEN.lastIndex - word.length });
  }
  tokens.push({ kind: 'end', text: '', at: end });
  return tokens;
}

function foreign(text: string, at: number): ExpressionError {
  const known = FOREIGN_SIGNS.find(([sign]) => text.startsWith(sign, at));
  const [sign, fix] = known ?? [
    String.fromCodePoint(text.codePointAt(at)!),
    'only names, numbers, signs and ( ) stand here',
  ];
  return new ExpressionError(at, `found ${quote(sign)}, which is no sign of an expression; ${fix}`);
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
    if (token.text === '(') return this.#nest(token, () => this.#closed(this.#or()));
    if (token.kind === 'name' && this.#peek().text === '(') return this.#nest(token, () => this.#call(token));
    if (token.kind === 'name' && token.text !== 'and' && token.text !== 'or' && token.text !== 'not') {
      return { kind: 'ref', at: token.at, depth: 1, name: token.text };
    }
    const found = token.kind === 'end' ? 'the end' : quote(token.text);
    throw new ExpressionError(token.at, `found ${found}, expected a feature, a number or a function`);
  }

  #call(name: Token): Syntax {
    const operator = name.text as Operator;
    if (!CALLS.includes(operator)) {
      const guess = didYouMean(name.text, CALLS);
      throw new ExpressionError(name.at, `unknown function ${quote(name.text)}; there is ${listOf(CALLS)}${guess}`);
    }
    this.#next++;
    const operands = [this.#or()];
    while (this.#peek().text === ',') {
      this.#next++;
      operands.push(this.#or());
    }
    const {
      arguments: { length },
      repeats,
    } = OPERATORS[operator];
    if (operands.length < length || (operands.length > length && repeats === undefined)) {
      const expected = `${repeats === undefined ? '' : 'at least '}${length}`;
      throw new ExpressionError(name.at, `${operator} takes ${expected} arguments, found ${operands.length}`);
    }
    return this.#closed(operation(operator, name.at, operands));
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

function operation(operator: Operator, at: number, operands: Syntax[]): Syntax {
  const depth = 1 + Math.max(...operands.map((operand) => operand.depth));
  if (depth > LIMITS.expression_depth) throw tooDeep(at);
  return { kind: 'operation', at, depth, operator, operands };
}

function number(token: Token): Syntax {
  const value = Number(token.text);
  if (!Number.isFinite(value)) throw new ExpressionError(token.at, `${quote(token.text)} is too large for a number`);
  return { kind: 'number', at: token.at, depth: 1, value };
}

const tooDeep = (at: number): ExpressionError =>
  new ExpressionError(at, `nested more than ${LIMITS.expression_depth} deep; split it into several features`);
