/** Expression trees → text. */
import { CALENDAR_FUNCTIONS, OPERATORS } from './grammar.ts';
import type { CalendarFunction, Expression, Operator } from './view.ts';

/** A text that `parseExpression` reads as the same tree. */
export function renderExpression(expression: Expression): string {
  if (typeof expression === 'number') return String(expression);
  const [word, ...rest] = expression;
  // The time at hand stands in the functions of time only, which take it where they are given none.
  if (word === 'now' || word === 'time') return '';
  if (word === 'text') return quoted(rest[0] as string);
  if (word === 'ref' || word === 'input' || word === 'field') return rest[0] as string;
  if (word === 'time_since') return `time_since(${renderExpression(rest[0] as Expression)})`;
  if (CALENDAR_FUNCTIONS.includes(word as CalendarFunction)) {
    const [zone, time] = rest as [string, Expression];
    const texts = [renderExpression(time), zone === 'UTC' ? '' : quoted(zone)];
    return `${word}(${texts.filter((text) => text !== '').join(', ')})`;
  }
  const operator = word as Operator;
  const operands = rest as Expression[];
  if (OPERATORS[operator].call) return `${operator}(${operands.map(renderExpression).join(', ')})`;
  const parts = operands.map((part) => (isSigned(part) ? `(${renderExpression(part)})` : renderExpression(part)));
  if (operator === 'neg') return `-${parts[0]}`;
  return operator === 'not' ? `not ${parts[0]}` : parts.join(` ${operator} `);
}

/** Whether it is written with a sign, so that it needs parentheses within another. */
const isSigned = (expression: Expression): boolean =>
  typeof expression !== 'number' && OPERATORS[expression[0] as Operator]?.call === false;

const quoted = (text: string): string => (text.includes("'") ? `"${text}"` : `'${text}'`);
