import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Expression } from '../../src/registry/view.ts';
import { viewOf } from './registry-text.ts';

const planOf = (where: string) =>
  viewOf([`f: { type: statistical, source: orders, aggregation: count, where: ${JSON.stringify(where)} }`]).plan;

function whereOf(text: string): Expression {
  const [feature] = planOf(text).features;
  assert.ok('where' in feature!);
  return feature.where!;
}

const TREES: [string, Expression][] = [
  ['price > 100', ['>', ['field', 'price'], 100]],
  ['paid', ['field', 'paid']],
  ['not paid', ['not', ['field', 'paid']]],
  ["colour == 'red'", ['==', ['field', 'colour'], ['text', 'red']]],
  ["'it is' != colour", ['!=', ['text', 'it is'], ['field', 'colour']]],
  ['coalesce(price, 0) >= count * 2', ['>=', ['coalesce', ['field', 'price'], 0], ['*', ['field', 'count'], 2]]],
  ['hour_of_day() < 6', ['<', ['hour_of_day', 'UTC', ['time']], 6]],
  ['is_weekend()', ['is_weekend', 'UTC', ['time']]],
  ['is_weekend(at)', ['is_weekend', 'UTC', ['time']]],
  ["day_of_week('Europe/Paris') == 0", ['==', ['day_of_week', 'Europe/Paris', ['time']], 0]],
  ["month(due, 'Asia/Tokyo') == 12", ['==', ['month', 'Asia/Tokyo', ['field', 'due']], 12]],
];

test('conditions become trees over the fields and the time of the event', () => {
  for (const [text, tree] of TREES) assert.equal(whereOf(text), tree, text);
});

test('fields that only a condition names are part of the plan', () => {
  const names = (where: string) => planOf(where).sources[0]!.fields.map((field) => field.name);
  assert.equal(names("hour_of_day(due) > 5 and (colour == 'red' or price > 1)"), ['price', 'colour', 'due']);
  assert.equal(names('is_weekend(at)'), []);
});

test('every feature of several windows has the condition', () => {
  const view = viewOf([
    'f: { type: time_series, source: orders, function: rate, windows: [1h, 24h], where: price > 1 }',
  ]);
  assert.equal(
    view.plan.features.map((feature) => ('where' in feature ? feature.where : null)),
    [
      ['>', ['field', 'price'], 1],
      ['>', ['field', 'price'], 1],
    ],
  );
});

test.run();
