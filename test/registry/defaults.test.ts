import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRegistry } from '../../src/registry/load.ts';
import { RegistryError } from '../../src/registry/problems.ts';
import type { StatisticalFeature, View } from '../../src/registry/view.ts';

const DAY = 86_400_000_000;

const HEAD = `
project: shop
entities: { user: {} }
sources:
  orders: { keys: { user: user_id }, timestamp: at, fields: { price: float, weight: float } }
  visits: { keys: { user: user_id }, timestamp: at, fields: { price: float } }
`;

const load = (text: string): View[] => parseRegistry(text, 'features.yaml').views.get('shopper')!;

function feature(view: View, name: string): Pick<StatisticalFeature, 'source' | 'field' | 'window'> {
  return view.plan.features.find((one) => one.name === name) as StatisticalFeature;
}

function problemsOf(text: string): string[] {
  try {
    parseRegistry(text, 'features.yaml');
  } catch (error) {
    assert.instance(error, RegistryError);
    return (error as RegistryError).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
  assert.unreachable('it was taken');
  return [];
}

test('the nearest block says what a feature leaves out', () => {
  const [v1, v2] = load(`${HEAD}
defaults: { source: orders, field: price, window: 1d }
views:
  shopper:
    entity: user
    defaults: { window: 2d, closed: both }
    versions:
      v1:
        features: { a: { type: statistical, aggregation: mean }, b: { type: statistical, aggregation: sum, source: visits, window: 3d } }
      v2:
        extends: v1
        defaults: { field: weight, offset: 1h }
        features: { c: { type: statistical, aggregation: mean, closed: right } }
`);
  const window = { time: 2 * DAY, closed: 'both' };
  assert.equal(feature(v1!, 'a'), {
    name: 'a',
    type: 'statistical',
    output: 'float64',
    source: 'orders',
    field: 'price',
    aggregation: 'mean',
    window,
  });
  assert.is(feature(v1!, 'b').source, 'visits');
  assert.equal(feature(v1!, 'b').window, { time: 3 * DAY, closed: 'both' });
  assert.equal(feature(v2!, 'a'), feature(v1!, 'a'), 'what is inherited keeps the defaults of its place');
  assert.is(feature(v2!, 'c').field, 'weight');
  assert.equal(feature(v2!, 'c').window, { time: 2 * DAY, offset: 3_600_000_000 });
});

test('a definition is the same with its keys as with defaults', () => {
  const view = (defaults: string, keys: string) =>
    load(`${HEAD}
views:
  shopper:
    entity: user
    versions: { v1: { ${defaults} features: { a: { type: statistical, aggregation: mean${keys} } } } }
`)[0]!;
  const keys = 'source: orders, field: price, window: 1d';
  assert.is(view(`defaults: { ${keys} },`, '').hash, view('', `, ${keys}`).hash);
});

test('features take the defaults that mean something to them, and no others', () => {
  const [view] = load(`${HEAD}
defaults: { source: orders, field: price, window: 1d }
views:
  shopper:
    entity: user
    versions:
      v1:
        features:
          n: { type: statistical, aggregation: count }
          dear: { type: statistical, aggregation: share_where, where: price > 9 }
          often: { type: time_series, function: rate }
          trend: { type: time_series, function: linear_regression }
          mean: { type: statistical, aggregation: mean, windows: [1h, 2h] }
          twice: { type: expression, expression: n * 2 }
          hour: { type: request, function: hour_of_day }
`);
  for (const name of ['n', 'dear', 'often']) assert.is(feature(view!, name).field, undefined, name);
  assert.is(feature(view!, 'trend').field, 'price');
  assert.equal(feature(view!, 'mean_2h').window, { time: DAY / 12 });
});

test('a wrong default is told once, also where no feature takes it', () => {
  const problems = problemsOf(`${HEAD}
defaults: { window: 1 day, closed: open, sorce: orders }
views:
  shopper:
    entity: user
    defaults: { source: order, field: prise }
    versions:
      v1:
        defaults: { source: orders }
        features: { a: { type: statistical, aggregation: mean }, b: { type: statistical, aggregation: sum } }
      v2: { extends: v1, features: { c: { type: statistical, aggregation: count } } }
`);
  assert.equal(problems, [
    '8:21 found "1 day", expected a duration such as 90s, 30m, 1h or 7d; write 1d',
    '8:36 unknown closed "open", expected one of right, left, both, neither',
    '8:42 unknown key "sorce"; defaults takes source, field, window, closed, offset; did you mean "source"?',
    '12:25 unknown source "order"; the sources are orders, visits; did you mean "orders"?',
    '12:39 source "orders" has no field "prise"; the fields of orders are price, weight; did you mean "price"?',
  ]);
});

test.run();
