import type { ExpressionDraft } from './declared.ts';
import { parseExpression } from './expression.ts';
import { ExpressionError } from './expression-tokens.ts';
import type { Place } from './problems.ts';
import type { Reader, Value } from './reader.ts';

/**
 * The tree of an expression's text; what its names stand for is not looked at.
 *
 * @param noun what the text is called in messages: `the expression`, `where`
 * @param such an example of one
 */
export function readSyntax(reader: Reader, value: Value, noun: string, such: string): ExpressionDraft | null {
  const text = reader.text(value, `an expression, such as ${such}`);
  if (text === null) return null;
  const start = reader.textStart(value, text);
  const { offset, path } = value;
  const placeOf = (at: number): Place => ({ offset: start === null ? offset : start + at, path });
  try {
    return { type: 'expression', syntax: parseExpression(text), placeOf };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    reader.report(placeOf(error.at), `${error.message} (character ${error.at + 1} of ${noun})`);
    return null;
  }
}
