/** Expression text → tokens with places. */
import { quote } from './suggest.ts';

/** A text that is no expression; `at` is the offset in it, from 0. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

export interface Token {
  kind: 'number' | 'name' | 'text' | 'sign' | 'end';
  /** As written, a text with its quotes. */
  text: string;
  at: number;
}

const TOKEN =
  /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|('[^']*'|"[^"]*")|(<=|>=|==|!=|\*(?!\*)|[-+/<>(),]))/y;

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
  ["'", "a text ends with the quote that it begins with: 'abc'"],
  ['"', 'a text ends with the quote that it begins with: "abc"'],
  ['‘', "write texts in straight quotes: 'abc'"],
  ['“', 'write texts in straight quotes: "abc"'],
];

/** @throws ExpressionError at a sign that is none */
export function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw foreign(text, from + /^\s*/.exec(text.slice(from))![0].length);
    const [, number, name, literal] = match;
    const word = match[0].trimStart();
    const kind =
      number !== undefined ? 'number' : name !== undefined ? 'name' : literal !== undefined ? 'text' : 'sign';
    tokens.push({ kind, text: word, at: TOKEN.lastIndex - word.length });
  }
  tokens.push({ kind: 'end', text: '', at: end });
  return tokens;
}

function foreign(text: string, at: number): ExpressionError {
  const known = FOREIGN_SIGNS.find(([sign]) => text.startsWith(sign, at));
  const [sign, fix] = known ?? [
    String.fromCodePoint(text.codePointAt(at)!),
    'only names, numbers, texts in quotes, signs and ( ) stand here',
  ];
  return new ExpressionError(at, `found ${quote(sign)}, which is no sign of an expression; ${fix}`);
}
