import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { namesIn, parseExpression, toExpression } from '../../src/registry/expression.ts';
import { renderExpression } from '../../src/registry/expression-text.ts';
import { ExpressionError } from '../../src/registry/expression-tokens.ts';
import { CALENDAR_FUNCTIONS, LIMITS, OPERATORS } from '../../src/registry/grammar.ts';
import type { Expression, Operator } from '../../src/registry/view.ts';

const read = (text: string): Expression => toExpression(parseExpression(text), ['now'], (name) => ['ref', name]);
const a: Expression = ['ref', 'a'];
const b: Expression = ['ref', 'b'];
const c: Expression = ['ref', 'c'];

function errorOf(text: string): ExpressionError {
  try {
    parseExpression(text);
  } catch (error) {
    assert.instance(error, ExpressionError);
    return error as ExpressionError;
  }
  assert.unreachable(text);
  throw new Error();
}

test('the flights example', () => {
  assert.equal(read('(delay_last - delay_mean_7d) / delay_std_7d'), [
    '/',
    ['-', ['ref', 'delay_last'], ['ref', 'delay_mean_7d']],
    ['ref', 'delay_std_7d'],
  ]);
});

test('operators bind as usual and chain from the left', () => {
  assert.equal(read('a + b * c'), ['+', a, ['*', b, c]]);
  assert.equal(read('a - b - c'), ['-', ['-', a, b], c]);
  assert.equal(read('a / b * c'), ['*', ['/', a, b], c]);
  assert.equal(read('-a * b'), ['*', ['neg', a], b]);
  assert.equal(read('a - -b'), ['-', a, ['neg', b]]);
  assert.equal(read('a + b < c * 2'), ['<', ['+', a, b], ['*', c, 2]]);
  assert.equal(read('not a < b and b < c or a == c'), ['or', ['and', ['not', ['<', a, b]], ['<', b, c]], ['==', a, c]]);
  assert.equal(read('not not (a < b)'), ['not', ['not', ['<', a, b]]]);
});

test('numbers', () => {
  assert.is(read('1.5'), 1.5);
  assert.is(read('.5'), 0.5);
  assert.is(read('2.'), 2);
  assert.is(read('1e-3'), 0.001);
  assert.is(read('-2'), -2);
  assert.is(read('--2'), 2);
  assert.is(read('+2'), 2);
  assert.ok(Object.is(read('-0'), 0), 'no negative zero');
});

test('functions; a feature may be called like one', () => {
  assert.equal(read('min(a, b, 3)'), ['min', a, b, 3]);
  assert.equal(read('where(a > 1, b, c)'), ['where', ['>', a, 1], b, c]);
  assert.equal(read('coalesce(a, 0)'), ['coalesce', a, 0]);
  assert.equal(read('min + max(a, b)'), ['+', ['ref', 'min'], ['max', a, b]]);
  assert.equal(read(' abs ( a ) '), ['abs', a]);
});

test('texts', () => {
  assert.equal(read("a == 'x y'"), ['==', a, ['text', 'x y']]);
  assert.equal(read(`"it's" != a`), ['!=', ['text', "it's"], a]);
  assert.equal(read("''"), ['text', '']);
});

test('functions of time, in UTC unless a zone is named', () => {
  assert.equal(read('hour_of_day(a) < 6'), ['<', ['hour_of_day', 'UTC', a], 6]);
  assert.equal(read("day_of_week(a, 'America/New_York')"), ['day_of_week', 'America/New_York', a]);
  assert.equal(read('not is_weekend(a)'), ['not', ['is_weekend', 'UTC', a]]);
  assert.equal(read("day_of_month(a, 'Etc/GMT+5') - month(b)"), [
    '-',
    ['day_of_month', 'Etc/GMT+5', a],
    ['month', 'UTC', b],
  ]);
  assert.equal(read("hour_of_day('Europe/Paris') + month()"), [
    '+',
    ['hour_of_day', 'Europe/Paris', ['now']],
    ['month', 'UTC', ['now']],
  ]);
  assert.equal(read('time_since(a) / 60'), ['/', ['time_since', a], 60]);
});

test('names keep their places', () => {
  assert.equal(namesIn(parseExpression("a + max(b, a) > month(c, 'UTC')")), [
    { name: 'a', at: 0 },
    { name: 'b', at: 8 },
    { name: 'a', at: 11 },
    { name: 'c', at: 22 },
  ]);
});

test('errors tell the place and the fix', () => {
  const cases: [string, number, string][] = [
    ['', 0, 'found the end'],
    ['a +', 3, 'found the end'],
    ['a + )', 4, 'found ")"'],
    ['(a', 2, 'closing )'],
    ['a b', 2, 'found "b", expected an operator'],
    ['a && b', 2, 'write and'],
    ['a || b', 2, 'write or'],
    ['a = b', 2, 'write =='],
    ['!a', 0, 'write not'],
    ['a ** 2', 2, 'powers'],
    ['a ^ 2', 2, 'powers'],
    ['a ? b : c', 2, 'where('],
    ['a < b < c', 6, 'a < b and b < c'],
    ['sqr(a)', 0, 'did you mean "sqrt"'],
    ['constructor(a)', 0, 'unknown function'],
    ['abs(a, b)', 0, 'abs takes 1 argument, found 2'],
    ['min(a)', 0, 'at least 2'],
    ['where(a, b)', 0, 'where takes 3'],
    ['min()', 4, 'found ")"'],
    ['and', 0, 'found "and"'],
    ['1e999', 0, 'too large'],
    ['a + "b', 4, 'a text ends with the quote'],
    ["a == 'b", 5, 'a text ends with the quote'],
    ['a == “b”', 5, 'straight quotes'],
    ['a "b"', 2, 'found "\\"b\\""'],
    ['time_since()', 11, 'found ")"'],
    ['hour_of_day(a, b)', 15, 'a time zone in quotes'],
    ["month(a, 'utc')", 9, 'did you mean "UTC"'],
    ["is_weekend(a, 'Europe/Pariss')", 14, 'did you mean "Europe/Paris"'],
    ["is_weekend(a, '+01:00')", 14, 'an IANA name'],
    ["month(a, 'UTC', 1)", 0, 'month takes at most 2 arguments, found 3'],
    ["time_since(a, 'UTC')", 0, 'time_since takes 1 argument, found 2'],
    ['a\u00a0+ ж', 4, 'found "ж"'],
    ['1.2.3', 3, 'found ".3"'],
  ];
  for (const [text, at, fragment] of cases) {
    const error = errorOf(text);
    assert.is(error.at, at, `${text}: ${error.message}`);
    assert.ok(error.message.includes(fragment), `${text}: ${error.message}`);
  }
});

test('length and depth are bounded', () => {
  const deepest = LIMITS.expression_depth;
  assert.ok(errorOf('('.repeat(4000)).message.includes('deep'));
  assert.ok(errorOf('-'.repeat(4000)).message.includes('deep'));
  assert.ok(errorOf('not '.repeat(1000)).message.includes('deep'));
  assert.ok(errorOf('abs('.repeat(1000)).message.includes('deep'));
  assert.ok(
    errorOf(
      Array(deepest + 1)
        .fill('a')
        .join('+'),
    ).message.includes('deep'),
  );
  read(Array(deepest).fill('a').join('+'));
  assert.ok(errorOf('a'.repeat(LIMITS.expression_characters + 1)).message.includes('characters'));
});

const isText = (tree: Expression): boolean => typeof tree !== 'number' && tree[0] === 'text';

const names = fc.constantFrom('a', 'b', 'delay_mean_7d', 'min', 'not_late', 'e1');
const { tree } = fc.letrec<{ tree: Expression }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.oneof(
      names.map((name): Expression => ['ref', name]),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
      fc.constantFrom('', 'abc', "it's", 'say "hi"').map((text): Expression => ['text', text]),
    ),
    fc
      .tuple(fc.constantFrom(...CALENDAR_FUNCTIONS), fc.constantFrom('UTC', 'Asia/Kathmandu'), tie('tree'))
      .map((call): Expression => (isText(call[2]) ? ['month', 'UTC', ['now']] : call)),
    tie('tree').map((time): Expression => ['time_since', time]),
    fc
      .tuple(
        fc.constantFrom(...(Object.keys(OPERATORS) as Operator[])),
        fc.array(tie('tree'), { minLength: 4, maxLength: 6 }),
      )
      .map(([operator, operands]): Expression => {
        const { arguments: wanted, repeats } = OPERATORS[operator];
        const used = operands.slice(0, repeats ? operands.length : wanted.length);
        // A sign before a number is part of the number.
        return operator === 'neg' && typeof used[0] === 'number' ? used[0] : [operator, ...used];
      }),
  ),
}));

test('what is rendered is read as the same tree', () => {
  fc.assert(fc.property(tree, (expression) => assert.equal(read(renderExpression(expression)), expression)));
});

test('the leaves of a plan are rendered by name', () => {
  assert.is(renderExpression(['is_weekend', 'UTC', ['time']]), 'is_weekend()');
  assert.is(renderExpression(['<', ['time_since', ['input', 'a']], 60]), 'time_since(a) < 60');
  assert.is(renderExpression(['==', ['field', 'kind'], ['text', 'x']]), "kind == 'x'");
});

test('no text does worse than an ExpressionError', () => {
  const text = fc
    .array(fc.constantFrom('a', '(', ')', ',', '+', '-', '<', ' ', 'not', 'and', 'min', '1', '.', '"'))
    .map((s) => s.join(''));
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), (input) => {
      try {
        parseExpression(input);
      } catch (error) {
        assert.instance(error, ExpressionError, String(error));
        const { at } = error as ExpressionError;
        assert.ok(at >= 0 && at <= input.length);
      }
    }),
  );
});

test.run();
