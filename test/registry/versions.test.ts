import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRegistry } from '../../src/registry/load.ts';
import type { View } from '../../src/registry/view.ts';
import { COUNT, registryText, viewOf } from './registry-text.ts';

function versionsOf(features: string[], later: string[]): View[] {
  const text = registryText(features) + later.map((line) => `      ${line}\n`).join('');
  return parseRegistry(text, 'features.yaml').views.get('shopper')!;
}

const namesOf = (view: View) => view.features.map((feature) => feature.name);
const windowOf = (view: View, name: string) => {
  const feature = view.plan.features.find((one) => one.name === name)!;
  return feature.type === 'expression' ? null : feature.window;
};

test('a version has what it extends, and more behind it', () => {
  const [v1, v2, v3] = versionsOf(
    [COUNT],
    [
      'v2: { extends: v1, features: { m: { type: statistical, source: orders, aggregation: count } } }',
      'v3: { extends: v2, features: { k: { type: expression, expression: n / m } } }',
    ],
  );
  assert.equal(namesOf(v1!), ['n']);
  assert.equal(namesOf(v2!), ['n', 'm']);
  assert.equal(namesOf(v3!), ['n', 'm', 'k']);
  assert.is(new Set([v1!.hash, v2!.hash, v3!.hash]).size, 3);
});

test('a feature declared again takes the place of the first, also for expressions that refer to it', () => {
  const half = 'half: { type: expression, expression: last * 0.5 > 1 }';
  const last = 'last: { type: statistical, source: orders, field: price, aggregation: last }';
  const [v1, v2] = versionsOf(
    [last, COUNT, half],
    ['v2: { extends: v1, features: { n: { type: statistical, source: orders, aggregation: count, window: 2h } } }'],
  );
  assert.equal(namesOf(v2!), ['last', 'n', 'half']);
  assert.equal(windowOf(v1!, 'n'), { time: 3_600_000_000 });
  assert.equal(windowOf(v2!, 'n'), { time: 7_200_000_000 });
});

test('a version may extend one that is listed after it, and the listed order stays', () => {
  const [, v3, v2] = versionsOf(
    [COUNT],
    [
      'v3: { extends: v2 }',
      'v2: { extends: v1, features: { m: { type: statistical, source: orders, aggregation: count } } }',
    ],
  );
  assert.is(v3!.version, 'v3');
  assert.is(v3!.hash, v2!.hash);
});

test('the order of computation follows references, the order of features the file', () => {
  const view = viewOf([
    'late: { type: expression, expression: share > 0.5 }',
    'share: { type: expression, expression: n / m }',
    COUNT,
    'm: { type: statistical, source: visits, aggregation: count }',
  ]);
  assert.equal(namesOf(view), ['late', 'share', 'n', 'm']);
  assert.equal(view.plan.order, [2, 3, 1, 0]);
  assert.is(view.features[0]!.output, 'bool');
  assert.is(view.features[1]!.output, 'float64');
});

test('a long chain of expressions is taken', () => {
  const chain = Array.from({ length: 900 }, (_, i) => `f${i}: { type: expression, expression: f${i + 1} + 1 }`);
  const view = viewOf([...chain, 'f900: { type: expression, expression: n + 0 }', COUNT]);
  assert.is(view.plan.order[0], 901);
  assert.is(view.plan.order.length, 902);
});

test.run();
