import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeRegistry } from '../../src/registry/describe.ts';
import { loadRegistry, parseRegistry } from '../../src/registry/load.ts';
import { RegistryError } from '../../src/registry/problems.ts';
import type { PythonFeature, View } from '../../src/registry/view.ts';
import { COUNT, registryText } from './registry-text.ts';

const MODULE = `
from headrace import feature
from carts import RATE

@feature
def total(window, as_of) -> float:
    return window["price"].sum() * RATE

@feature(outputs={"worst": float, "colour": str})
def extremes(window, as_of):
    return {"worst": None, "colour": None}
`;

const test = suite<{ folder: string }>('python features');
test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'headrace-python-features-'));
  await writeFile(join(context.folder, 'orders.py'), MODULE);
  await writeFile(join(context.folder, 'carts.py'), 'RATE = 2.0\n');
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

async function load(folder: string, features: string[], python?: string): Promise<View> {
  const path = join(folder, 'features.yaml');
  await writeFile(path, registryText(features));
  const registry = await loadRegistry(path, python === undefined ? {} : { python });
  return registry.views.get('shopper')![0]!;
}

async function problemsOf(loading: Promise<unknown>): Promise<string[]> {
  const error = await loading.then(
    () => assert.unreachable('it was taken'),
    (reason: unknown) => reason,
  );
  assert.instance(error, RegistryError);
  return (error as RegistryError).problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

test('a function with one output', async ({ folder }) => {
  const total = 'total: { type: python, function: "orders:total", source: orders, window: 1h, rows: 5, where: paid }';
  const { plan, features } = await load(folder, [total, COUNT, 'share: { type: expression, expression: total / n }']);
  const { digest, ...body } = plan.features[0] as PythonFeature;
  assert.match(digest, /^[0-9a-f]{16}$/);
  assert.equal(body, {
    name: 'total',
    type: 'python',
    output: 'float64',
    source: 'orders',
    window: { time: 3600e6, rows: 5 },
    where: ['field', 'paid'],
    function: 'orders:total',
    result: null,
    fields: ['price', 'count', 'paid', 'colour', 'due'],
    timeout_ms: 100,
  });
  assert.equal(features[2], { name: 'share', output: 'float64' });
  assert.equal(
    plan.sources[0]!.fields.map(({ name }) => name),
    ['price', 'count', 'paid', 'colour', 'due'],
  );
});

test('a feature for each output and window', async ({ folder }) => {
  const extremes =
    'order: { type: python, function: "orders:extremes", source: orders, windows: [1h, 24h], fields: [price], timeout: 2s }';
  const { plan, features } = await load(folder, [extremes]);
  assert.equal(features, [
    { name: 'order_1h_worst', output: 'float64' },
    { name: 'order_1h_colour', output: 'string' },
    { name: 'order_24h_worst', output: 'float64' },
    { name: 'order_24h_colour', output: 'string' },
  ]);
  const bodies = plan.features as PythonFeature[];
  assert.equal(
    bodies.map(({ result, fields, timeout_ms }) => [result, fields, timeout_ms]),
    ['worst', 'colour', 'worst', 'colour'].map((result) => [result, ['price'], 2000]),
  );
  assert.equal(
    plan.sources[0]!.fields.map(({ name }) => name),
    ['price'],
  );
});

test('the hash follows the source of a module that the function imports', async ({ folder }) => {
  const total = 'total: { type: python, function: "orders:total", source: orders }';
  const { hash } = await load(folder, [total]);
  assert.is((await load(folder, [total])).hash, hash);
  await writeFile(join(folder, 'carts.py'), 'RATE = 3.0\n');
  assert.is.not((await load(folder, [total])).hash, hash);
});

test('all that is wrong is told at its place, beside the other problems', async ({ folder }) => {
  await writeFile(join(folder, 'broken.py'), 'import headrace\n\nprices = [\n');
  const problems = await problemsOf(
    load(folder, [
      'a: { type: python, function: "orders:totals", source: orders }',
      'b: { type: python, function: "nowhere:total", source: orders }',
      'c: { type: python, function: "broken:total", source: orders }',
      'd: { type: python, function: total, source: orders }',
      'e: { type: python, function: "orders:total", source: orders, fields: [price, weight, price], timeout: 0 }',
      'f: { type: statistical, source: orders, aggregation: sum }',
    ]),
  );
  assert.is(problems.length, 8, problems.join('\n'));
  for (const [i, expected] of [
    /^18:40 orders.py: .*totals/,
    /^19:40 nowhere.py: there is no nowhere.py beside the registry/,
    /^20:40 broken.py:3: /,
    /^21:40 found "total", expected module:function/,
    /^22:88 source "orders" has no field "weight"/,
    /^22:96 the field is listed twice/,
    /^22:113 found 0, expected a duration/,
    /^23:11 sum needs a field/,
  ].entries()) {
    assert.match(problems[i]!, expected, problems.join('\n'));
  }
});

test('an interpreter that is not there is told where it is needed, with a fix', async ({ folder }) => {
  const total = 'total: { type: python, function: "orders:total", source: orders }';
  for (const [python, fragment] of [
    ['/no/such/python', 'which does not exist; name a Python'],
    ['no-such-python-anywhere', 'could not be started'],
    ['false', 'ended with status 1; run make setup'],
  ] as const) {
    const [problem, ...rest] = await problemsOf(load(folder, [total], python));
    assert.is(rest.length, 0);
    assert.match(problem!, /^18:44 /, problem);
    assert.ok(problem!.includes(fragment), problem);
  }
  assert.is((await load(folder, [COUNT], '/no/such/python')).features.length, 1, 'others do without');
});

test('a text alone has no modules', () => {
  const text = registryText(['total: { type: python, function: "orders:total", source: orders }']);
  assert.throws(() => parseRegistry(text, 'features.yaml'), /18:44: Python is not asked where a text is read/);
});

test('described in the words of the file', async ({ folder }) => {
  const path = join(folder, 'features.yaml');
  await writeFile(
    path,
    registryText(['total: { type: python, function: "orders:total", source: orders, fields: [price] }']),
  );
  const [total] = describeRegistry(await loadRegistry(path)).views[0]!.versions[0]!.features;
  const { digest, ...definition } = total!.definition as Record<string, unknown>;
  assert.match(String(digest), /^[0-9a-f]{16}$/);
  assert.equal(definition, {
    source: 'orders',
    function: 'orders:total',
    window: '30d',
    fields: ['price'],
    timeout: '100ms',
  });
});

test.run();
