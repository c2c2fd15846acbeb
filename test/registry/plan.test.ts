import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRegistry } from '../../src/registry/load.ts';
import { hashPlan } from '../../src/registry/plan.ts';
import type { Plan } from '../../src/registry/view.ts';
import { COUNT, registryText, viewOf } from './registry-text.ts';

const MEAN = 'mean: { type: statistical, source: orders, field: price, aggregation: mean, window: 1d }';

test('a plan names the sources and fields that its features use, in declared order', () => {
  const view = viewOf([
    'last: { type: statistical, source: visits, field: seconds, aggregation: last }',
    'colour: { type: statistical, source: orders, field: colour, aggregation: last }',
    MEAN,
  ]);
  assert.equal(view.plan.sources, [
    {
      name: 'orders',
      template: ['', 'user_id', ''],
      timestamp: 'at',
      fields: [
        { name: 'price', type: 'float' },
        { name: 'colour', type: 'category' },
      ],
      retention: 30 * 86_400_000_000,
    },
    {
      name: 'visits',
      template: ['', 'user_id', ''],
      timestamp: 'at',
      fields: [{ name: 'seconds', type: 'float' }],
      retention: 7 * 86_400_000_000,
    },
  ]);
});

test('the hash is that of the documented bytes', () => {
  const plan: Plan = { entity: 'user', sources: [], features: [], order: [] };
  // echo -n '{"entity":"user","features":[],"order":[],"sources":[]}' | sha256sum
  assert.is(hashPlan(plan), '279e20dd82414200');
});

test('what decides no value does not change the hash', () => {
  const { hash } = viewOf([COUNT, MEAN]);
  assert.match(hash, /^[0-9a-f]{16}$/);
  const same = (text: string) => parseRegistry(text, 'other.yaml').views.get('shopper')![0]!.hash;
  const text = registryText([COUNT, MEAN]);
  const changed: [string, string][] = [
    ['another file name', text],
    ['a comment', `# a comment\n${text.replace('window: 1d', 'window: 1d # a day')}`.replace('# a day }', '}')],
    ['ttl and the like', registryText([COUNT, MEAN], ['ttl: 1h', 'exact: true', 'description: About users'])],
    [
      'key order',
      text.replace(MEAN, 'mean: { window: 1d, aggregation: mean, field: price, source: orders, type: statistical }'),
    ],
    ['the unit of a window', text.replace('window: 1d', 'window: 24h')],
    ['defaults spelt out', text.replace('window: 1d', 'window: 1d, closed: right, offset: 0')],
    ['a description', text.replace('window: 1d', 'window: 1d, description: The mean price')],
    ['lateness, history', text.replace('history: 10d', 'history: 20d\n    lateness: 1h')],
    ['the order of fields', text.replace('price: float, count: int', 'count: int, price: float')],
    ['an unused field', text.replace('paid: bool', 'paid: int')],
    ['the project and the clock', text.replace('project: shop', 'project: store\nclock: event')],
    ['another entity', text.replace('item: {}', 'item: { description: Wares }, shelf: {}')],
  ];
  for (const [what, changedText] of changed) {
    if (what !== 'another file name') assert.not.equal(changedText, text, what);
    assert.is(same(changedText), hash, what);
  }
});

test('what decides a value changes the hash', () => {
  const text = registryText([
    COUNT,
    MEAN,
    'q: { type: statistical, source: orders, field: price, aggregation: quantile, q: 0.5 }',
  ]);
  const hashOf = (one: string) => parseRegistry(one, 'x').views.get('shopper')![0]!.hash;
  const changed: [string, string][] = [
    ['a window', text.replace('window: 1d', 'window: 2d')],
    ['an aggregation', text.replace('aggregation: mean', 'aggregation: max')],
    ['a field', text.replace('field: price, aggregation: mean', 'field: count, aggregation: mean')],
    ['q', text.replace('q: 0.5', 'q: 0.6')],
    ['a feature name', text.replace('mean: {', 'average: {')],
    ['retention', text.replace('retention: 30d', 'retention: 29d')],
    ['the key', text.replace('user: user_id', 'user: "u{user_id}"')],
    ['the timestamp', text.replace('timestamp: at', 'timestamp: time')],
    ['the type of a used field', text.replace('price: float', 'price: int')],
    ['rows', text.replace('window: 1d', 'window: 1d, rows: 10')],
    ['a session', text.replace('window: 1d', 'window: 1d, gap: 1h')],
    ['a closed end', text.replace('window: 1d', 'window: 1d, closed: both')],
    ['an offset', text.replace('window: 1d', 'window: 1d, offset: 1h')],
    ['a condition', text.replace('window: 1d', 'window: 1d, where: paid')],
    ['another condition', text.replace('window: 1d', 'window: 1d, where: not paid')],
    ['an approximation', text.replace('q: 0.5', 'q: 0.5, approximate: 0.01')],
    ['the order of features', registryText([MEAN, COUNT, text.trimEnd().split('\n').at(-1)!.trim()])],
  ];
  const hashes = new Set([hashOf(text), ...changed.map(([, one]) => hashOf(one))]);
  for (const [what, one] of changed) assert.not.equal(one, text, what);
  assert.is(hashes.size, changed.length + 1);
});

test.run();
