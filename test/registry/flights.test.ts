import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadRegistry } from '../../src/registry/load.ts';

const registry = await loadRegistry(fileURLToPath(new URL('../../examples/flights/features.yaml', import.meta.url)));
const DAY = 86_400_000_000;

test('the source is as the example describes it', () => {
  assert.equal(registry.clock, { mode: 'event', sources: null });
  assert.equal(registry.sources.get('departures'), {
    name: 'departures',
    keys: [
      { entity: 'airport', template: ['', 'origin', ''] },
      { entity: 'route', template: ['', 'origin', '-', 'destination', ''] },
    ],
    timestamp: 'date',
    fields: [
      { name: 'delay', type: 'float' },
      { name: 'distance', type: 'float' },
      { name: 'origin', type: 'category' },
      { name: 'destination', type: 'category' },
    ],
    lateness: DAY,
    maxAhead: DAY,
    retention: 31 * DAY,
    history: 170 * DAY,
  });
});

test('airport_delay v1 has the features that programs ask for by name', () => {
  const [v1, v2] = registry.views.get('airport_delay')!;
  const names = v1!.features.map((feature) => feature.name);
  assert.ok(names.length >= 20);
  for (const name of [
    'departures_1h',
    'departures_24h',
    'delay_mean_1h',
    'delay_mean_24h',
    'delay_mean_7d',
    'delay_std_7d',
    'delay_min_24h',
    'delay_max_24h',
    'delay_median_24h',
    'delay_q90_7d',
    'delay_last',
    'distance_sum_24h',
    'delay_trend_7d',
    'delay_z',
  ]) {
    assert.ok(names.includes(name), name);
  }
  assert.equal(
    v2!.features.slice(0, names.length).map((feature) => feature.name),
    names,
  );
  assert.ok(v2!.features.length > names.length);
  assert.is(v1!.ttl, 300_000_000);
  assert.is(v1!.history, 170 * DAY);
});

test('delay_z is the last delay in standard deviations of the week', () => {
  const feature = registry.views.get('airport_delay')![0]!.plan.features.find((one) => one.name === 'delay_z')!;
  assert.equal(feature, {
    name: 'delay_z',
    type: 'expression',
    output: 'float64',
    expression: ['/', ['-', ['ref', 'delay_last'], ['ref', 'delay_mean_7d']], ['ref', 'delay_std_7d']],
  });
});

test('route_delay serves routes', () => {
  const [v1] = registry.views.get('route_delay')!;
  assert.is(v1!.plan.entity, 'route');
  assert.ok(v1!.features.length >= 10);
});

test.run();
