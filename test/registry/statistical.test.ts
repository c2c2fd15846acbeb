import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AGGREGATIONS } from '../../src/registry/feature-words.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import { RegistryError } from '../../src/registry/problems.ts';
import type { FieldType, OutputType, StatisticalFeature } from '../../src/registry/view.ts';
import { registryText, viewOf } from './registry-text.ts';

const HOUR = 3_600_000_000;
const MONTH = 720 * HOUR;

/** A field of `orders` of each type. */
const FIELDS = { float: 'price', int: 'count', bool: 'paid', category: 'colour', timestamp: 'due' } as const;

const OUTPUTS: Record<FieldType, OutputType> = {
  float: 'float64',
  int: 'int64',
  bool: 'bool',
  category: 'string',
  timestamp: 'timestamp',
};

const NEEDED: Record<string, string> = { quantile: ', q: 0.5', share_where: ', where: paid' };

const line = (name: string, keys: string) => `${name}: { type: statistical, source: orders, ${keys} }`;

const planned = (keys: string) => viewOf([line('f', keys)]).plan.features as StatisticalFeature[];

const namesOf = (keys: string) => planned(keys).map((feature) => feature.name);

test('every aggregation takes its types of fields and no other, and gives its output', () => {
  const whole: Record<string, OutputType> = { count: 'int64', nunique: 'int64' };
  const ofTheField = ['min', 'max', 'first', 'last', 'mode'];
  for (const [aggregation, types] of Object.entries(AGGREGATIONS)) {
    for (const [type, field] of Object.entries(FIELDS) as [FieldType, string][]) {
      const keys = `aggregation: ${aggregation}, field: ${field}${NEEDED[aggregation] ?? ''}`;
      if (!types.includes(type)) {
        assert.throws(
          () => planned(keys),
          (error: unknown) => error instanceof RegistryError,
          keys,
        );
        continue;
      }
      const [feature] = planned(keys);
      const output = ofTheField.includes(aggregation) ? OUTPUTS[type] : (whole[aggregation] ?? 'float64');
      assert.equal([feature!.output, feature!.field, feature!.aggregation], [output, field, aggregation], keys);
    }
  }
});

test('a count of events and a share of events have no field', () => {
  assert.equal(planned('aggregation: count, window: 1h'), [
    {
      name: 'f',
      type: 'statistical',
      output: 'int64',
      source: 'orders',
      aggregation: 'count',
      window: { time: HOUR },
    },
  ]);
  const [share] = planned('aggregation: share_where, where: price > 10');
  assert.equal(share, {
    name: 'f',
    type: 'statistical',
    output: 'float64',
    source: 'orders',
    aggregation: 'share_where',
    window: { time: MONTH },
    where: ['>', ['field', 'price'], 10],
  });
});

test('parameters stand in the plan, and only those of the aggregation', () => {
  const [quantile] = planned('aggregation: quantile, field: price, q: 0.9, approximate: 0.01');
  assert.equal([quantile!.q, quantile!.approximate], [0.9, 0.01]);
  const [median] = planned('aggregation: median, field: price, approximate: 0.5');
  assert.equal([median!.approximate, 'q' in median!], [0.5, false]);
  const [share] = planned('aggregation: top_share, field: colour');
  assert.is(share!.rank, 1);
  assert.is(planned('aggregation: top_share, field: colour, rank: 100')[0]!.rank, 100);
  assert.equal(Object.keys(planned('aggregation: mean, field: price')[0]!).toSorted(), [
    'aggregation',
    'field',
    'name',
    'output',
    'source',
    'type',
    'window',
  ]);
});

test('quantiles are a feature each, named in hundredths', () => {
  const features = planned(
    'aggregation: quantiles, field: price, quantiles: [0, 0.1, 0.07, 0.999, 1], approximate: 0.02',
  );
  assert.equal(
    features.map((feature) => [feature.name, feature.aggregation, feature.q, feature.approximate]),
    [
      ['f_q0', 'quantile', 0, 0.02],
      ['f_q10', 'quantile', 0.1, 0.02],
      ['f_q7', 'quantile', 0.07, 0.02],
      ['f_q99_9', 'quantile', 0.999, 0.02],
      ['f_q100', 'quantile', 1, 0.02],
    ],
  );
});

test('the top k are a feature each, named by rank', () => {
  const features = planned('aggregation: top_k, field: colour, k: 2');
  assert.equal(
    features.map((feature) => [feature.name, feature.aggregation, feature.rank, feature.output]),
    [
      ['f_1', 'top_share', 1, 'float64'],
      ['f_2', 'top_share', 2, 'float64'],
    ],
  );
});

test('lists of both kinds give every pair', () => {
  assert.equal(namesOf('aggregation: quantiles, field: price, quantiles: [0.1, 0.9], windows: [1h, 24h]'), [
    'f_q10_1h',
    'f_q10_24h',
    'f_q90_1h',
    'f_q90_24h',
  ]);
});

test('what a line stands for takes its place, and a later version replaces one of it by its name', () => {
  const text = `${registryText([
    line('a', 'aggregation: count'),
    line('mean', 'aggregation: mean, field: price, windows: [1h, 24h], description: Paid'),
    'ratio: { type: expression, expression: mean_1h / mean_24h }',
  ])}      v2: { extends: v1, features: { mean_24h: { type: statistical, source: visits, aggregation: count } } }\n`;
  const [v1, v2] = parseRegistry(text, 'features.yaml').views.get('shopper')!;
  assert.equal(v1!.features, [
    { name: 'a', output: 'int64' },
    { name: 'mean_1h', output: 'float64', description: 'Paid' },
    { name: 'mean_24h', output: 'float64', description: 'Paid' },
    { name: 'ratio', output: 'float64' },
  ]);
  assert.equal(
    v2!.features.map((feature) => [feature.name, feature.output]),
    [
      ['a', 'int64'],
      ['mean_1h', 'float64'],
      ['mean_24h', 'int64'],
      ['ratio', 'float64'],
    ],
  );
});

test.run();
