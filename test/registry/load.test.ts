import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LIMITS } from '../../src/registry/grammar.ts';
import { loadRegistry, parseRegistry } from '../../src/registry/load.ts';
import { PROBLEMS_MAX, RegistryError } from '../../src/registry/problems.ts';
import { COUNT, registryText, viewOf } from './registry-text.ts';

const DAY = 86_400_000_000;

function problemsOf(text: string): string[] {
  try {
    parseRegistry(text, 'features.yaml');
  } catch (error) {
    assert.instance(error, RegistryError, String(error));
    return (error as RegistryError).message.split('\n');
  }
  return [];
}

async function loadProblem(path: string): Promise<string> {
  const error = await loadRegistry(path).then(
    () => assert.unreachable(path),
    (reason: unknown) => reason,
  );
  assert.instance(error, RegistryError, String(error));
  return (error as RegistryError).message;
}

test('the smallest registry, with every default', () => {
  const registry = parseRegistry(
    `project: shop
entities: { user: }
sources: { orders: { keys: { user: user_id }, timestamp: at } }
views: { shopper: { entity: user, versions: { v1: { features: { n: { type: statistical, aggregation: count } } } } } }`,
    'x.yaml',
  );
  assert.is(registry.project, 'shop');
  assert.is(registry.path, 'x.yaml');
  assert.equal(registry.clock, { mode: 'wall', sources: null });
  assert.equal([...registry.entities], [['user', { description: '' }]]);
  assert.equal(registry.sources.get('orders'), {
    name: 'orders',
    keys: [{ entity: 'user', template: ['', 'user_id', ''] }],
    timestamp: 'at',
    fields: [],
    lateness: 0,
    maxAhead: DAY,
    retention: 31 * DAY,
    history: DAY,
  });
  const [view] = registry.views.get('shopper')!;
  assert.equal(
    { ...view, hash: '' },
    {
      name: 'shopper',
      version: 'v1',
      hash: '',
      plan: {
        entity: 'user',
        sources: [{ name: 'orders', template: ['', 'user_id', ''], timestamp: 'at', fields: [], retention: 31 * DAY }],
        features: [
          {
            name: 'n',
            type: 'statistical',
            output: 'int64',
            source: 'orders',
            aggregation: 'count',
            window: { time: 31 * DAY },
          },
        ],
        order: [0],
      },
      features: [{ name: 'n', output: 'int64' }],
      ttl: 300_000_000,
      exact: false,
      request: [],
      deprecated: null,
      updateAgeOnGet: false,
      staleWhileRevalidate: 0,
      history: DAY,
      description: '',
    },
  );
});

test('every key is read', () => {
  const text = `project: shop
clock: { mode: event, sources: [orders] }
entities: { user: { description: A customer } }
sources:
  orders:
    keys: { user: "u{user_id}" }
    timestamp: at
    fields: { price: float }
    lateness: 1h
    max_ahead: 0
    retention: 7d
    history: 0
views:
  shopper:
    entity: user
    description: What a customer does
    ttl: 90s
    exact: true
    update_age_on_get: true
    stale_while_revalidate: 10s
    versions:
      v1: { features: { n: { type: statistical, aggregation: count, description: Orders, window: 500ms } } }`;
  const registry = parseRegistry(text, 'x.yaml');
  assert.equal(registry.clock, { mode: 'event', sources: ['orders'] });
  assert.is(registry.entities.get('user')!.description, 'A customer');
  const source = registry.sources.get('orders')!;
  assert.equal(source.keys, [{ entity: 'user', template: ['u', 'user_id', ''] }]);
  assert.equal([source.lateness, source.maxAhead, source.retention, source.history], [DAY / 24, 0, 7 * DAY, 0]);
  const view = registry.views.get('shopper')![0]!;
  assert.equal(
    [view.ttl, view.exact, view.updateAgeOnGet, view.staleWhileRevalidate, view.history, view.description],
    [90_000_000, true, true, 10_000_000, 0, 'What a customer does'],
  );
  assert.equal(view.features, [{ name: 'n', output: 'int64', description: 'Orders' }]);
  assert.equal(view.plan.features[0], {
    name: 'n',
    type: 'statistical',
    output: 'int64',
    source: 'orders',
    aggregation: 'count',
    window: { time: 500_000 },
  });
});

test('the shortest history of the sources that a view uses is its own', () => {
  const visits = 'm: { type: statistical, source: visits, aggregation: count }';
  assert.is(viewOf([COUNT]).history, 10 * DAY);
  assert.is(viewOf([COUNT, visits]).history, 2 * DAY);
});

test('anchors and aliases stand for whole values', () => {
  const view = viewOf([
    'a: &hourly { type: statistical, source: orders, aggregation: count, window: 1h }',
    'b: *hourly',
  ]);
  assert.equal({ ...view.plan.features[1], name: 'a' }, view.plan.features[0]);
});

test('a file may begin with a byte order mark and end its lines as Windows does', () => {
  const text = registryText([COUNT]);
  assert.is(
    parseRegistry(`\ufeff${text.trimStart().replaceAll('\n', '\r\n')}`, 'x').views.get('shopper')![0]!.hash,
    viewOf([COUNT]).hash,
  );
});

test('files that cannot be read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'registry-'));
  try {
    const at = (name: string) => join(folder, name);
    assert.is(await loadProblem(at('none.yaml')), `${at('none.yaml')}:1:1: there is no such file; check the path`);
    assert.match(await loadProblem(folder), 'this is a folder');
    assert.match(await loadProblem('/dev/null'), 'no regular file');
    await writeFile(at('empty.yaml'), '');
    assert.match(await loadProblem(at('empty.yaml')), ':1:1: the file is empty');
    await writeFile(at('latin.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    assert.match(await loadProblem(at('latin.yaml')), 'not UTF-8');
    await writeFile(at('large.yaml'), Buffer.alloc(LIMITS.file_bytes + 1, 0x20));
    assert.match(await loadProblem(at('large.yaml')), 'a registry may have');
    await symlink(at('loop.yaml'), at('loop.yaml'));
    assert.match(await loadProblem(at('loop.yaml')), 'ELOOP');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a file that nests without end is refused', () => {
  for (const text of ['['.repeat(100_000), '{a: '.repeat(50_000), '- '.repeat(50_000)]) {
    const problems = problemsOf(text);
    assert.is(problems.length, 1);
    assert.match(problems[0]!, 'nests too deeply');
  }
});

test('aliases cannot make a small file huge', () => {
  const features = Array.from({ length: 900 }, (_, i) => `            f${i}: *count`).join('\n');
  const versions = Array.from({ length: 90 }, (_, i) => `      v${i}: *all`).join('\n');
  const views = Array.from({ length: 500 }, (_, i) => `  view_${i}: *view`).join('\n');
  const text = `project: shop
entities: { user: }
sources: { orders: { keys: { user: user_id }, timestamp: at } }
views:
  view: &view
    entity: user
    versions:
      first: &all
        features:
            f: &count { type: statistical, aggregation: count }
${features}
${versions}
${views}
`;
  const problems = problemsOf(text);
  assert.match(problems.join('\n'), `more than ${LIMITS.values} values`);
});

test('lists cannot make a small file huge', () => {
  const windows = Array.from({ length: 5000 }, (_, i) => `${i + 1}s`).join(', ');
  const quantiles = Array.from({ length: 5000 }, (_, i) => (i / 5000).toString()).join(', ');
  const line = `f: { type: statistical, source: orders, field: price, aggregation: quantiles, quantiles: [${quantiles}], windows: [${windows}] }`;
  const problems = problemsOf(registryText([line]));
  assert.is(problems.length, 1);
  assert.match(problems[0]!, `more than ${LIMITS.values} values`);
});

test('extends cannot make a small file huge', () => {
  const features = Array.from({ length: 990 }, (_, i) => `          f${i}: { type: statistical, aggregation: count }`);
  const versions = Array.from({ length: 98 }, (_, i) => `      v${i + 2}: { extends: v1 }`).join('\n');
  const views = Array.from(
    { length: 3 },
    (_, i) => `
  view_${i}:
    entity: user
    versions:
      v1:
        features:
${features.join('\n')}
${versions}`,
  ).join('');
  const text = `project: shop
entities: { user: }
sources: { orders: { keys: { user: user_id }, timestamp: at } }
views:${views}
`;
  assert.match(problemsOf(text).join('\n'), `more than ${LIMITS.values} values`);
});

test('features and versions are limited in number', () => {
  const many = Array.from({ length: LIMITS.features_a_version + 1 }, (_, i) => COUNT.replace('n:', `n${i}:`));
  assert.match(problemsOf(registryText(many)).join('\n'), 'version v1 has 1001 features');
  const versions = Array.from({ length: LIMITS.versions_a_view }, (_, i) => `      v${i + 2}: { extends: v1 }\n`);
  assert.match(problemsOf(registryText([COUNT]) + versions.join('')).join('\n'), 'found 101 versions');
});

test('many problems are cut, and many keys do not take for ever', () => {
  const keys = Array.from({ length: 50_000 }, (_, i) => `k${i}: 1`);
  const problems = problemsOf(keys.join('\n'));
  assert.is(problems.length, PROBLEMS_MAX + 1);
  assert.match(problems.at(-1)!, 'too many problems');
});

test.run();
