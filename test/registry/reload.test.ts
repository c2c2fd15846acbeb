import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { differenceOf } from '../../src/registry/difference.ts';
import { type Lasting, newDefinitions, refusals, removedVersions, versionKey } from '../../src/registry/lasting.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import { Places } from '../../src/registry/place-of.ts';
import { changeOf } from '../../src/registry/reload.ts';
import type { Registry } from '../../src/registry/view.ts';
import type { StoredDefinition } from '../../src/store/definitions.ts';

const test = suite('registry/reload');

const TEXT = readFileSync(new URL('../e2e/meters.yaml', import.meta.url), 'utf8');

/** The meters with some of their text replaced; each text must be there. */
function registryOf(changes: [string, string][] = []): Registry {
  let text = TEXT;
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), from);
    text = text.replace(from, to);
  }
  return parseRegistry(text, 'features.yaml');
}

const planOf = (registry: Registry, version: string) =>
  registry.views.get('use')!.find((view) => view.version === version)!.plan;

function stored(registry: Registry, position = 0): Map<string, StoredDefinition> {
  const views = [...registry.views.values()].flat();
  return new Map(
    views.map(({ name, version, hash, plan }) => [
      versionKey(name, version),
      { view: name, version, hash, plan: JSON.parse(JSON.stringify(plan)), position },
    ]),
  );
}

function lastingOf(registry: Registry, changes: Partial<Lasting> = {}): Lasting {
  const schema = {
    source: 'readings',
    columns: [
      { name: 'value', dtype: 'f8' as const },
      { name: 'label', dtype: 'i4' as const, dictionary: 'readings.label' },
    ],
  };
  return {
    definitions: stored(registry, 7),
    schemas: { 1: schema },
    hasEvents: () => true,
    clock: registry.clock,
    ...changes,
  };
}

const V3 = '      v3: { features: { n: { type: statistical, aggregation: count, window: 1m } } }\n';
const LAST = 'label_last: { type: statistical, field: label, aggregation: last }\n';

test('what is the same stays the same object, whatever else changes', () => {
  const before = registryOf();
  const change = changeOf(before, registryOf([[LAST, LAST + V3]]));
  assert.equal([change.added, change.removed, change.changed], [['use@v3'], [], []]);
  assert.equal(change.unchanged, ['use@v1', 'use@v2']);
  const [v1, v2] = change.registry.views.get('use')!;
  assert.ok(v1 === before.views.get('use')![0] && v2 === before.views.get('use')![1]);
  assert.equal([change.gone, change.renewed, change.sources], [[], [], []]);
});

test('options are new without the definition; another definition or none ends the old view', () => {
  const before = registryOf();
  const [v1, v2] = before.views.get('use')!;
  const slower = changeOf(before, registryOf([['ttl: 5m', 'ttl: 6m']]));
  assert.equal([slower.changed, slower.gone], [['use@v1', 'use@v2'], []]);
  assert.ok(slower.renewed[0] !== v1 && slower.renewed[0] === slower.registry.views.get('use')![0]);

  const longer = changeOf(before, registryOf([[LAST, LAST.replace('last }', 'last, window: 1h }')]]));
  assert.equal([longer.unchanged, longer.changed, longer.renewed], [['use@v1'], ['use@v2'], []]);
  assert.equal(longer.gone, [{ view: v2, redefined: true }]);

  const fewer = changeOf(changeOf(before, registryOf([[LAST, LAST + V3]])).registry, before);
  assert.equal([fewer.removed, fewer.gone.map(({ redefined }) => redefined)], [['use@v3'], [false]]);
  assert.equal(changeOf(before, registryOf([['lateness: 1h', 'lateness: 2h']])).sources, ['readings']);
});

test('a difference says which feature, which key, and both values', () => {
  const before = planOf(registryOf(), 'v2');
  const difference = (...changes: [string, string][]) => differenceOf(before, planOf(registryOf(changes), 'v2'));
  assert.is(
    difference(['aggregation: max, window: 1h', 'aggregation: max, window: 7d']),
    'feature max_1h: window.time 1h → 7d',
  );
  assert.is(difference(['aggregation: max', 'aggregation: min']), 'feature max_1h: aggregation max → min');
  assert.is(
    difference(
      [`          ${LAST}`, ''],
      ['v1:\n        features:\n', `v1:\n        features:\n          n: { type: statistical, aggregation: count }\n`],
    ),
    'feature label_last is gone; feature n is new',
  );
  assert.is(difference(['meter: "{meter}"', 'meter: "m{meter}"']), 'source readings: key {meter} → m{meter}');
  assert.is(
    difference(['retention: 7d', 'retention: 8d']),
    'source readings: retention 7d → 8d; feature last: window.time 7d → 8d; feature readings_all: window.time 7d → 8d; feature sum_all: window.time 7d → 8d; feature label_last: window.time 7d → 8d',
  );
  assert.is(difference(), '');
});

test('expressions are compared as they are written, and the order of the features counts', () => {
  const ratio = (text: string) =>
    registryOf([[LAST, `${LAST}          ratio: { type: expression, expression: ${text} }\n`]]);
  assert.is(
    differenceOf(planOf(ratio('sum_1h / readings_1h'), 'v2'), planOf(ratio('sum_1h / readings_all'), 'v2')),
    'feature ratio: expression "sum_1h / readings_1h" → "sum_1h / readings_all"',
  );
  const { features, ...rest } = planOf(registryOf(), 'v1');
  const turned = { ...rest, features: features.toReversed() };
  assert.match(differenceOf({ ...rest, features }, turned), /order of the features: readings_1h → last in place 1/);
});

test('of many differences five are told', () => {
  const none = registryOf();
  const emptied = { ...planOf(none, 'v2'), features: [] };
  assert.match(differenceOf(planOf(none, 'v2'), emptied), /^feature (.* is gone; ){5}and 3 more$/);
});

test('a changed definition is refused at its version, with what changed and what to do, unless forced', () => {
  const before = registryOf();
  const after = registryOf([['field: label, aggregation: last', 'field: label, aggregation: first']]);
  const [found, ...others] = refusals(after, lastingOf(before), false);
  assert.equal([found!.path, others], [['views', 'use', 'versions', 'v2'], []]);
  assert.match(
    found!.message,
    /^view use, version v2, is defined otherwise than it was from position 7 on: feature label_last: aggregation last → first; give it a new version/,
  );
  assert.equal(refusals(after, lastingOf(before), true), []);
  assert.equal(refusals(before, lastingOf(before), false), []);
  assert.equal(
    newDefinitions(after, stored(before)).map(({ version }) => version),
    ['v2'],
  );
});

test('a version that comes back means what it meant before', () => {
  const first = registryOf([[LAST, LAST + V3]]);
  const definitions = stored(first);
  assert.equal(removedVersions(registryOf(), definitions), new Map([['use', new Set(['v3'])]]));
  assert.equal(removedVersions(first, definitions), new Map());
  const other = registryOf([[LAST, LAST + V3.replace('1m', '2m')]]);
  assert.is(refusals(other, lastingOf(first), false).length, 1);
});

test('another clock is refused while one runs, and taken at a start', () => {
  const after = registryOf([['clock: event', 'clock: wall']]);
  const [found] = refusals(after, lastingOf(registryOf()), true);
  assert.equal(found!.path, ['clock']);
  assert.match(found!.message, /the clock is wall, and the engine runs on event.*restart/);
  assert.equal(refusals(after, lastingOf(registryOf(), { clock: null }), true), []);
});

test('a field does not turn from number to category where the log has events of its source', () => {
  const after = registryOf([
    ['label: category', 'label: float'],
    ['field: label, aggregation: last', 'field: label, aggregation: sum'],
  ]);
  const [found] = refusals(after, lastingOf(registryOf()), true);
  assert.equal(found!.path, ['sources', 'readings', 'fields', 'label']);
  assert.match(found!.message, /label is a float.*in which it is a category; give the field a new name/);
  assert.equal(refusals(after, lastingOf(registryOf(), { hasEvents: () => false }), true), []);
});

test('places are those of keys, and of the last key that is there', () => {
  const places = new Places(TEXT, 'features.yaml');
  const at = (...path: string[]) => {
    const { file, line, column } = places.problem(path, 'wrong');
    return [file, line, column];
  };
  const lines = TEXT.split('\n');
  assert.equal(at('clock'), ['features.yaml', lines.indexOf('clock: event') + 1, 1]);
  assert.equal(at('views', 'use', 'versions', 'v2'), ['features.yaml', lines.indexOf('      v2:') + 1, 7]);
  assert.equal(at('views', 'use', 'versions', 'v9'), ['features.yaml', lines.indexOf('    versions:') + 1, 5]);
  assert.equal(at('nothing'), ['features.yaml', 1, 1]);
  const flat = new Places('project: x\nfeatures:\n  n: {}\n', 'flat.yaml');
  assert.is(flat.problem(['views', 'default', 'versions', 'v1'], 'wrong').line, 2);
});

test.run();
