import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FUNCTIONS, TIMES_ALONE } from '../../src/registry/feature-words.ts';
import { RegistryError } from '../../src/registry/problems.ts';
import type { SeriesFeature, SeriesFunction } from '../../src/registry/view.ts';
import { viewOf } from './registry-text.ts';

const HOUR = 3_600_000_000;

const NEEDED: Partial<Record<SeriesFunction, string>> = {
  ewma: ', half_life: 1h',
  decayed_sum: ', half_life: 1h, step: 1m',
  time_since_last: ', step: 1m',
  time_since_first: ', step: 1m',
  autocorrelation: ', lag: 2',
  burst: ', recent: 1h',
};

const FIELDS = { float: 'price', int: 'count', bool: 'paid', category: 'colour', timestamp: 'due' } as const;

const planned = (keys: string) =>
  viewOf([`f: { type: time_series, source: orders, ${keys} }`]).plan.features as SeriesFeature[];

const isRefused = (keys: string) =>
  assert.throws(
    () => planned(keys),
    (error: unknown) => error instanceof RegistryError,
    keys,
  );

test('every function takes its types of fields and no other', () => {
  for (const [name, types] of Object.entries(FUNCTIONS) as [SeriesFunction, readonly string[]][]) {
    for (const [type, field] of Object.entries(FIELDS)) {
      const keys = `function: ${name}, field: ${field}${NEEDED[name] ?? ''}`;
      if (types.includes(type))
        assert.equal([planned(keys)[0]!.field, planned(keys)[0]!.output], [field, 'float64'], keys);
      else isRefused(keys);
    }
  }
});

test('functions of times alone need no field, the others do', () => {
  for (const name of Object.keys(FUNCTIONS) as SeriesFunction[]) {
    const keys = `function: ${name}${NEEDED[name] ?? ''}`;
    if (TIMES_ALONE.includes(name)) assert.not('field' in planned(keys)[0]!, name);
    else isRefused(keys);
  }
});

test('every function needs the keys that it needs', () => {
  for (const [name, needed] of Object.entries(NEEDED)) {
    for (const key of needed.split(',').slice(1)) {
      isRefused(`function: ${name}, field: price${needed.replace(`,${key}`, '')}`);
    }
  }
});

test('durations are microseconds, and defaults make no other definition', () => {
  const [decayed] = planned('function: decayed_sum, half_life: 2h, step: 500ms, window: 1d');
  assert.equal(decayed, {
    name: 'f',
    type: 'time_series',
    output: 'float64',
    source: 'orders',
    function: 'decayed_sum',
    window: { time: 24 * HOUR },
    half_life: 2 * HOUR,
    step: 500_000,
  });
  assert.equal(planned('function: rate, per: 1s'), planned('function: rate'));
  assert.is(planned('function: rate, per: 1h')[0]!.per, HOUR);
  const line = 'function: linear_regression, field: price';
  assert.equal(planned(`${line}, result: slope`), planned(line));
  assert.is(planned(`${line}, per: 1s`)[0]!.per, 1_000_000);
  assert.is(planned(`${line}, result: r2`)[0]!.result, 'r2');
  assert.is(planned('function: autocorrelation, field: price, lag: 3')[0]!.lag, 3);
});

test('recent is less than every window', () => {
  assert.equal(
    planned('function: burst, recent: 59m, windows: [1h, 24h]').map((feature) => [feature.name, feature.recent]),
    [
      ['f_1h', 59 * 60_000_000],
      ['f_24h', 59 * 60_000_000],
    ],
  );
  isRefused('function: burst, recent: 1h, windows: [1h, 24h]');
});

test.run();
