import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeRegistry } from '../../src/registry/describe.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import { RegistryError } from '../../src/registry/problems.ts';
import { resolveFeatures, resolveService } from '../../src/registry/resolve.ts';
import type { FeatureService } from '../../src/registry/view.ts';

const MEAN =
  'mean: { type: statistical, source: orders, field: price, aggregation: mean, window: 1d, description: Price }';
const DEVIATION = 'deviation: { type: expression, expression: (mean - low) / n }';
const LOW = 'low: { type: expression, expression: "min(mean, n, 1)" }';
const COUNT = 'n: { type: statistical, source: orders, aggregation: count, window: 1h }';
const RATIO = 'ratio: { type: request, expression: amount / low }';
const NIGHT = 'night: { type: request, expression: ratio > 2 and hour_of_day() < 6 }';

const HEAD = `
project: shop
entities: { user: {}, item: {} }
sources:
  orders: { keys: { user: user_id, item: item_id }, timestamp: at, fields: { price: float }, history: 10d }
  visits: { keys: { user: user_id }, timestamp: at, fields: { seconds: float }, history: 2d }
views:
  shopper:
    entity: user
    ttl: 1m
    stale_while_revalidate: 10s
    update_age_on_get: true
    request: { amount: float }
    versions:
      v1:
        features:
          ${[DEVIATION, LOW, MEAN, NIGHT, RATIO, COUNT].join('\n          ')}
      v2: { extends: v1, features: { n: { type: statistical, source: orders, aggregation: count, window: 2h } } }
      v3: { extends: v2, deprecated: 2099-01-01 }
  visitor:
    entity: user
    ttl: 30s
    exact: true
    request: { amount: int }
    versions:
      v1:
        features:
          ${MEAN}
          seconds: { type: statistical, source: visits, field: seconds, aggregation: sum, window: 1h }
          share: { type: expression, expression: seconds / amount }
  item_view: { entity: item, versions: { v1: { features: { ${COUNT} } } } }
services:
`;

const load = (services: string) => parseRegistry(`${HEAD}${services}`, 'features.yaml');
const serviceOf = (features: string): FeatureService =>
  load(`  model: { features: [${features}] }`).services.get('model')!;
const namesOf = (features: { name: string }[]): string[] => features.map(({ name }) => name);

function problemsOf(services: string): string[] {
  try {
    load(services);
  } catch (error) {
    assert.instance(error, RegistryError);
    return (error as RegistryError).problems.map(({ message }) => message);
  }
  assert.unreachable(services);
  return [];
}

test('a service has the features it lists, in its order, and behind them what they need', () => {
  const { view, size } = serviceOf('"visitor@v1:seconds", "shopper@v1:deviation", "shopper@v1:mean"');
  assert.is(size, 3);
  assert.equal(namesOf(view.features), ['seconds', 'deviation', 'mean', 'shopper@v1:n', 'shopper@v1:low']);
  assert.equal(view.features[2], { name: 'mean', output: 'float64', description: 'Price' });
  const deviation = view.plan.features[1]!;
  assert.equal(deviation.type === 'expression' && deviation.expression, [
    '/',
    ['-', ['ref', 'mean'], ['ref', 'shopper@v1:low']],
    ['ref', 'shopper@v1:n'],
  ]);
  const order = view.plan.order.map((i) => view.features[i]!.name);
  assert.equal(order.toSorted(), namesOf(view.features).toSorted());
  for (const [first, second] of [
    ['mean', 'shopper@v1:low'],
    ['shopper@v1:low', 'deviation'],
  ] as const) {
    assert.ok(order.indexOf(first) < order.indexOf(second), order.join());
  }
  assert.equal(
    view.plan.sources.map(({ name, fields }) => [name, namesOf(fields)]),
    [
      ['orders', ['price']],
      ['visits', ['seconds']],
    ],
  );
});

test('of its views it has the least ttl and history, and is exact where one is', () => {
  const { view } = serviceOf('"shopper@v1:n", "visitor@v1:seconds"');
  assert.is(view.name, 'model');
  assert.is(view.version, 'service');
  assert.is(view.ttl, 30e6);
  assert.is(view.exact, true);
  assert.is(view.history, 2 * 86_400e6);
  assert.is(view.staleWhileRevalidate, 0);
  assert.is(view.updateAgeOnGet, false);
  assert.is(view.deprecated, null);
  const own = serviceOf('"shopper@v1:n"').view;
  assert.is(own.ttl, 60e6);
  assert.is(own.exact, false);
  assert.is(own.updateAgeOnGet, true);
  assert.is(own.staleWhileRevalidate, 10e6);
});

test('names may be given, and a name stands for the feature in expressions too', () => {
  const { view } = serviceOf('{ feature: "shopper@v1:mean", as: usual }, "visitor@v1:mean", "shopper@v1:low"');
  assert.equal(namesOf(view.features), ['usual', 'mean', 'low', 'shopper@v1:n']);
  const low = view.plan.features[2]!;
  assert.equal(low.type === 'expression' && low.expression, ['min', ['ref', 'usual'], ['ref', 'shopper@v1:n'], 1]);
});

test('inputs that the views declare and no listed feature uses may be brought', () => {
  const unused = (items: string) => serviceOf(items).view.unusedInputs;
  assert.equal(unused('{ feature: "visitor@v1:mean", as: m }, "shopper@v1:mean"'), [{ name: 'amount', type: 'int' }]);
  assert.is(unused('"shopper@v1:night", "shopper@v1:mean"'), undefined);
});

test('request features bring their inputs and what they need along, hidden', () => {
  const { view, size } = serviceOf('"shopper@v1:night", "shopper@v1:mean"');
  assert.is(size, 1);
  assert.equal(namesOf(view.features), ['mean', 'shopper@v1:n', 'shopper@v1:low']);
  assert.equal(namesOf(view.request), ['shopper@v1:ratio', 'night']);
  assert.equal(view.plan.request!.inputs, [{ name: 'amount', type: 'float' }]);
  assert.equal(view.plan.request!.features[1]!.expression, [
    'and',
    ['>', ['ref', 'shopper@v1:ratio'], 2],
    ['<', ['hour_of_day', 'UTC', ['now']], 6],
  ]);
  assert.equal(resolveFeatures(view), { select: [0], request: [1] });
  assert.equal(resolveFeatures(view, ['night']), { select: [], request: [1] });
  assert.throws(
    () => resolveFeatures(view, ['shopper@v1:low']),
    /has no feature "shopper@v1:low"; there is mean, night/,
  );
});

test('without a version it is the newest that no date makes deprecated', () => {
  const window = (feature: string): unknown => {
    const body = serviceOf(feature).view.plan.features[0]!;
    return 'window' in body && body.window;
  };
  assert.equal(window('"shopper:n"'), { time: 7200e6 });
  assert.is(serviceOf('"shopper:n"').view.hash, serviceOf('"shopper@v2:n"').view.hash);
  assert.is.not(serviceOf('"shopper:n"').view.hash, serviceOf('"shopper@v1:n"').view.hash);
});

test('features of two entities make no service', () => {
  const [problem, ...rest] = problemsOf('  model: { features: ["shopper@v1:n", "item_view@v1:n"] }');
  assert.match(problem!, 'the service has "n" already');
  assert.match(rest[0]!, 'item_view is of item, and shopper above of user');
  assert.is(rest.length, 1);
});

test('one input of two types makes no service', () => {
  const problems = problemsOf('  model: { features: ["shopper@v1:ratio", "visitor@v1:share"] }');
  assert.equal(problems, [
    'the input "amount" is a int in visitor and float in shopper; a request can bring one: rename it in one of the views',
  ]);
});

test('a registry finds its services by name and describes them', () => {
  const registry = load('  model: { features: ["shopper@v1:low", "shopper@v1:ratio"], description: Risk }');
  const service = resolveService(registry, 'model');
  assert.is(service.description, 'Risk');
  assert.throws(() => resolveService(registry, 'modle'), /no service "modle"; there is model; did you mean "model"/);
  const [described] = describeRegistry(registry).services;
  assert.equal(
    { ...described, features: described!.features.map(({ name, type }) => `${type} ${name}`) },
    {
      name: 'model',
      description: 'Risk',
      entity: 'user',
      ttl: '1m',
      exact: false,
      hash: service.view.hash,
      history: '10d',
      inputs: { amount: 'float' },
      features: ['expression low', 'request ratio'],
    },
  );
});

test.run();
