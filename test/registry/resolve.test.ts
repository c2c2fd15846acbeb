import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import { isDeprecated, resolveFeatures, resolveView } from '../../src/registry/resolve.ts';
import { COUNT, registryText } from './registry-text.ts';

const MEAN = 'mean: { type: statistical, source: orders, field: price, aggregation: mean, window: 1d }';
const TODAY = '2026-06-30';
const text = `${registryText([COUNT, MEAN])}      v2: { extends: v1 }\n`;
const one = parseRegistry(text, 'one.yaml');
const two = parseRegistry(
  `${text}  items: { entity: item, versions: { v1: { features: { ${COUNT} } } } }\n`,
  'two.yaml',
);

function refused(code: string, fragment: string, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    assert.instance(error, HeadraceError);
    assert.is((error as HeadraceError).code, code);
    assert.ok((error as HeadraceError).message.includes(fragment), (error as HeadraceError).message);
    return;
  }
  assert.unreachable(fragment);
}

test('a version left out is the last listed', () => {
  assert.is(resolveView(two, TODAY, 'shopper').version, 'v2');
  assert.is(resolveView(two, TODAY, 'shopper', 'v1').version, 'v1');
});

test('a deprecated version must be named, from its date on, unless all are deprecated', () => {
  const registry = parseRegistry(
    `${registryText([COUNT])}      v2: { extends: v1, deprecated: 2026-07-01 }\n      v3: { extends: v1, deprecated: 2026-06-15 }\n`,
    'three.yaml',
  );
  const versionOn = (today: string): string => resolveView(registry, today, 'shopper').version;
  assert.is(versionOn('2026-06-14'), 'v3');
  assert.is(versionOn('2026-06-15'), 'v2');
  assert.is(versionOn('2026-07-01'), 'v1');
  const v3 = resolveView(registry, '2027-01-01', 'shopper', 'v3');
  assert.is(v3.deprecated, '2026-06-15');
  assert.is(isDeprecated(v3, '2026-06-14'), false);
  assert.is(isDeprecated(v3, '2026-06-15'), true);
  assert.is(v3.hash, resolveView(registry, TODAY, 'shopper', 'v1').hash, 'the definition is the same');
  const all = parseRegistry(registryText([COUNT]).replace('v1:', 'v1:\n        deprecated: 2026-01-01'), 'all.yaml');
  assert.is(resolveView(all, TODAY).version, 'v1');
});

test('a view may be left out where there is one', () => {
  assert.is(resolveView(one, TODAY).name, 'shopper');
  assert.is(resolveView(one, TODAY, undefined, 'v1').version, 'v1');
  refused('bad_request', 'there is shopper, items', () => resolveView(two, TODAY));
});

test('unknown names are refused with a guess and what there is', () => {
  refused('unknown_view', 'there is shopper, items; did you mean "shopper"?', () => resolveView(two, TODAY, 'shoper'));
  refused('unknown_version', 'there is v1, v2', () => resolveView(two, TODAY, 'shopper', 'v3'));
  refused('unknown_view', '"constructor"', () => resolveView(two, TODAY, 'constructor'));
  refused('unknown_view', '"__proto__"', () => resolveView(two, TODAY, '__proto__'));
  refused('unknown_view', '""', () => resolveView(two, TODAY, ''));
  const view = resolveView(two, TODAY, 'shopper');
  refused('unknown_feature', 'there is n, mean; did you mean "mean"?', () => resolveFeatures(view, ['n', 'maen']));
  refused('unknown_feature', '"a", "b"', () => resolveFeatures(view, ['a', 'mean', 'b', 'a']));
});

test('a huge name does not make a huge message', () => {
  try {
    resolveView(two, TODAY, 'x'.repeat(1_000_000));
  } catch (error) {
    assert.ok((error as Error).message.length < 300);
  }
});

test('features come in the order asked, each once; none named is all', () => {
  const view = resolveView(one, TODAY);
  assert.equal(resolveFeatures(view, ['mean', 'n', 'mean']), { select: [1, 0], request: [] });
  assert.equal(resolveFeatures(view), { select: null, request: null });
  refused('bad_request', 'empty', () => resolveFeatures(view, []));
});

test.run();
