import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRegistry } from '../../src/registry/load.ts';
import { RegistryError } from '../../src/registry/problems.ts';
import { resolveView } from '../../src/registry/resolve.ts';

const DAY = 86_400_000_000;

const FEATURES = `
features:
  user_value_mean: { type: statistical, window: 7d, aggregation: mean, source: user_values }
  user_trend: { type: time_series, window: 30d, function: linear_regression }
`;

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

test('features and defaults alone: the entity and the source are made', () => {
  const text = `${FEATURES}defaults: { entity: user, timestamp: at, field: value, source: user_values }\n`;
  const registry = parseRegistry(text, 'features.yaml');
  assert.is(registry.project, 'default');
  assert.equal([...registry.entities], [['user', { description: '' }]]);
  assert.equal(
    [...registry.sources.values()],
    [
      {
        name: 'user_values',
        keys: [{ entity: 'user', template: ['', 'user', ''] }],
        timestamp: 'at',
        fields: [{ name: 'value', type: 'float' }],
        lateness: 0,
        maxAhead: DAY,
        retention: 31 * DAY,
        history: DAY,
      },
    ],
  );
  const view = resolveView(registry, '2026-01-01');
  assert.is(`${view.name}@${view.version}`, 'default@v1');
  assert.equal(
    view.plan.features.map((feature) => ['source' in feature && feature.source, 'field' in feature && feature.field]),
    [
      ['user_values', 'value'],
      ['user_values', 'value'],
    ],
  );
});

test('it is the same as a registry written in full', () => {
  const flat = `${FEATURES}defaults: { entity: user, key: user_id, timestamp: at, field: value, source: user_values }\n`;
  const full = `
project: shop
entities: { user: {} }
sources: { user_values: { keys: { user: user_id }, timestamp: at, fields: { value: float } } }
views:
  default:
    entity: user
    versions:
      v1:
        features:
          user_value_mean: { type: statistical, window: 7d, aggregation: mean, field: value }
          user_trend: { type: time_series, window: 30d, function: linear_regression, field: value }
`;
  const viewOf = (text: string) => parseRegistry(text, 'features.yaml').views.get('default')![0]!;
  assert.equal(viewOf(flat), viewOf(full));
});

test('what is declared is taken, and sources that are not have the fields that are named', () => {
  const text = `
project: shop
clock: event
entities: { user: { description: A customer } }
sources: { orders: { keys: { user: user_id }, timestamp: at, fields: { price: int } } }
features:
  spent: { type: statistical, aggregation: sum, source: orders, field: price }
  seconds: { type: statistical, aggregation: sum, source: visits, field: seconds }
  clicks: { type: statistical, aggregation: max, source: visits, field: clicks }
defaults: { timestamp: time, key: id }
services: { model: { features: ["default@v1:spent"] } }
`;
  const { project, clock, sources, entities, services } = parseRegistry(text, 'features.yaml');
  assert.is(project, 'shop');
  assert.is(clock.mode, 'event');
  assert.is(entities.get('user')!.description, 'A customer');
  assert.is(sources.get('orders')!.timestamp, 'at');
  assert.equal(sources.get('orders')!.keys[0]!.template, ['', 'user_id', '']);
  assert.equal(sources.get('visits')!.keys[0]!.template, ['', 'id', '']);
  assert.equal(sources.get('visits')!.fields, [
    { name: 'seconds', type: 'float' },
    { name: 'clicks', type: 'float' },
  ]);
  assert.is(services.get('model')!.size, 1);
});

test('what is missing is said', () => {
  const lines = FEATURES.trimStart();
  assert.equal(problemsOf(lines), [
    '1:1 the features are of no entity; name one, as in defaults: { entity: user }',
    '2:3 mean needs a field, and there is none; add field:; user_values has no fields: declare one under its fields, or in a file without sources as defaults: { field: … }',
    '2:80 source "user_values" is not declared; declare it under sources, or say where events have their time, as in defaults: { timestamp: at }',
    '3:3 linear_regression needs a field, and there is none; add field:; user_values has no fields: declare one under its fields, or in a file without sources as defaults: { field: … }',
  ]);
  assert.equal(problemsOf('features: { n: { type: statistical, aggregation: count } }\ndefaults: { entity: user }'), [
    '1:1 the features have no source; name one, as in defaults: { source: values }',
  ]);
  assert.equal(
    problemsOf(`${lines}defaults: { entity: User, timestamp: a b, key: "{x", source: values, field: v }\n`),
    [
      '4:21 "User" is no name: small letters, digits and _ , beginning with a letter; write user',
      '4:38 "a b" is no column name: letters, digits and _ , beginning with no digit, at most 64',
      '4:48 "{x" has a brace without its partner; write columns as {column}',
    ],
  );
});

test('features stand in views or in the registry, not in both', () => {
  const [problem] = problemsOf(`${FEATURES}views: { v: { entity: user, versions: { v1: { features: {} } } } }\n`);
  assert.match(problem!, /needs "project"/);
  assert.match(problemsOf(`${FEATURES}views: {}\n`).join('\n'), /found "features" in the registry: beside views/);
});

test.run();
