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

test.run();
