import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeRegistry } from '../../src/registry/describe.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import { COUNT, registryText } from './registry-text.ts';

test('the registry is described in the words of its file', () => {
  const registry = parseRegistry(
    registryText(
      [
        COUNT,
        'q: { type: statistical, source: orders, field: price, aggregation: quantile, q: 0.9, description: High }',
        'z: { type: expression, expression: (n - 1) / q }',
      ],
      ['ttl: 90s'],
    ),
    '/somewhere/features.yaml',
  );
  const description = JSON.parse(JSON.stringify(describeRegistry(registry)));
  assert.is(description.project, 'shop');
  assert.equal(description.clock, { mode: 'wall', sources: null });
  assert.equal(description.entities[0], { name: 'user', description: 'A customer' });
  assert.equal(description.sources[1], {
    name: 'visits',
    keys: { user: '{user_id}' },
    timestamp: 'at',
    fields: { seconds: 'float' },
    lateness: '0',
    max_ahead: '1d',
    retention: '7d',
    history: '2d',
  });
  assert.is(description.sources[0].keys.pair, '{user_id}/{item_id}!');
  assert.equal(description.views, [
    {
      name: 'shopper',
      description: '',
      entity: 'user',
      ttl: '90s',
      exact: false,
      update_age_on_get: false,
      stale_while_revalidate: '0',
      versions: [
        {
          version: 'v1',
          hash: registry.views.get('shopper')![0]!.hash,
          history: '10d',
          deprecated: null,
          inputs: {},
          features: [
            {
              name: 'n',
              type: 'statistical',
              output: 'int64',
              definition: { source: 'orders', aggregation: 'count', window: '1h' },
            },
            {
              name: 'q',
              type: 'statistical',
              output: 'float64',
              description: 'High',
              definition: { source: 'orders', field: 'price', aggregation: 'quantile', window: '30d', q: 0.9 },
            },
            { name: 'z', type: 'expression', output: 'float64', definition: { expression: '(n - 1) / q' } },
          ],
        },
      ],
    },
  ]);
  assert.not.match(JSON.stringify(description), 'somewhere');
});

test('windows, conditions and durations are described as they are written', () => {
  const registry = parseRegistry(
    registryText([
      "a: { type: statistical, source: orders, aggregation: count, window: 1d, rows: 9, gap: 30m, closed: left, offset: 1h, where: colour == 'red' and hour_of_day() < 6 }",
      'b: { type: statistical, source: orders, field: price, aggregation: median, approximate: 0.01, rows: 9 }',
      'c: { type: time_series, source: orders, function: decayed_sum, half_life: 2h, step: 500ms, window: 7d }',
      'd: { type: time_series, source: orders, function: burst, recent: 90s, window: 1h }',
      'e: { type: time_series, source: orders, field: price, function: linear_regression, result: r2, per: 1d }',
    ]),
    'features.yaml',
  );
  const [version] = describeRegistry(registry).views[0]!.versions;
  const source = 'orders';
  assert.equal(
    version!.features.map((feature) => feature.definition),
    [
      {
        source,
        aggregation: 'count',
        window: '1d',
        rows: 9,
        gap: '30m',
        closed: 'left',
        offset: '1h',
        where: "(colour == 'red') and (hour_of_day() < 6)",
      },
      { source, field: 'price', aggregation: 'median', approximate: 0.01, window: '30d', rows: 9 },
      { source, function: 'decayed_sum', half_life: '2h', step: '500ms', window: '7d' },
      { source, function: 'burst', recent: '90s', window: '1h' },
      { source, field: 'price', function: 'linear_regression', result: 'r2', per: '1d', window: '30d' },
    ],
  );
});

test.run();
