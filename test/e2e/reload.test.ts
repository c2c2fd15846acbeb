/** The registry's life in an engine that runs: what takes over, what is refused, and that nobody who asks is let down. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Message } from './client.ts';
import { type Engine, eventually, Lab, METERS } from './lab.ts';
import { START_MS } from './meters.ts';

const test = suite('e2e/reload');
const lab = new Lab();

test.after(() => lab.close());

const TEXT = readFileSync(METERS, 'utf8');
const V3 = '      v3: { features: { labels: { type: statistical, field: label, aggregation: count, window: 1h } } }\n';
const CHANGED = TEXT.replace('aggregation: max, window: 1h', 'aggregation: max, window: 7d');

/** An engine on a registry of its own, which the test changes. */
async function start(name: string, args: string[] = [], text = TEXT): Promise<{ engine: Engine; path: string }> {
  mkdirSync(lab.path(name));
  const path = lab.path(`${name}/features.yaml`);
  writeFileSync(path, text);
  const engine = await lab.engine(`${name}/data`, ['--workers', '2', ...args], path);
  return { engine, path };
}

const send = async (engine: Engine, events: object[]): Promise<Message> =>
  (await engine.post('/events/readings', events)).json();

async function reload(engine: Engine, body: object = {}): Promise<{ status: number; body: Message }> {
  const response = await engine.post('/registry/reload', body);
  return { status: response.status, body: await response.json() };
}

async function get(engine: Engine, version: string, meter = 'm1'): Promise<{ status: number; body: Message }> {
  const response = await engine.post('/features', { entity_id: meter, version });
  return { status: response.status, body: await response.json() };
}

const versionsOf = async (engine: Engine): Promise<string[]> =>
  (await engine.get('/registry')).views[0].versions.map(({ version }: Message) => version);

const reading = (at: number, value: number, changes: object = {}) => ({
  meter: 'm1',
  at: START_MS + at,
  value,
  ...changes,
});

test('a file that changes takes over by itself, whether it is written or put in place, and at SIGHUP', async () => {
  const { engine, path } = await start('file');
  await send(engine, [reading(0, 3, { label: 'a' })]);
  writeFileSync(path, TEXT + V3);
  await eventually('v3', async () => (await versionsOf(engine)).includes('v3'));
  assert.equal((await get(engine, 'v3')).body.features, { labels: 1 });
  assert.is((await get(engine, 'v1')).body.features.sum_1h, 3, 'side by side');
  writeFileSync(`${path}.new`, TEXT);
  renameSync(`${path}.new`, path);
  await eventually('v3 gone', async () => !(await versionsOf(engine)).includes('v3'));
  assert.equal((await get(engine, 'v3')).body.code, 'version_removed');
  assert.is((await get(engine, 'v9')).body.code, 'unknown_version');
  await engine.end('SIGTERM');

  const again = await lab.engine('file/data', ['--workers', '1', '--registry-watch', 'off'], path);
  assert.is((await get(again, 'v3')).status, 409, 'remembered over a restart');
  writeFileSync(path, TEXT + V3);
  again.child.kill('SIGHUP');
  await eventually('v3 again', async () => (await versionsOf(again)).includes('v3'));
  assert.equal((await get(again, 'v3')).body.features, { labels: 1 });
  await again.end('SIGTERM');
});

test('a wrong registry is refused with everything that is wrong with it, and the one before serves on', async () => {
  const { engine, path } = await start('wrong', ['--registry-watch', 'off']);
  await send(engine, [reading(0, 3)]);
  writeFileSync(path, TEXT.replace('aggregation: max', 'aggregation: maximum').replace('lateness: 1h', 'lateness: 1x'));
  const { status, body } = await reload(engine);
  assert.equal([status, body.code], [422, 'invalid_registry']);
  const lines = TEXT.split('\n');
  assert.equal(
    body.data.problems.map(({ file, line, path: at }: Message) => [file, line, at]),
    [
      [path, lines.findIndex((line) => line.includes('lateness')) + 1, 'sources.readings.lateness'],
      [
        path,
        lines.findIndex((line) => line.includes('max_1h')) + 1,
        'views.use.versions.v1.features.max_1h.aggregation',
      ],
    ],
  );
  assert.is((await get(engine, 'v2')).body.features.max_1h, 3);
  writeFileSync(path, TEXT.replace('clock: event', 'clock: wall'));
  assert.match(
    (await reload(engine)).body.detail,
    /features\.yaml:3:1: the clock is wall, and the engine runs on event/,
  );
  writeFileSync(path, TEXT);
  assert.equal((await reload(engine)).body.unchanged, ['use@v1', 'use@v2']);
  await engine.end('SIGTERM');
});

test('a changed definition is refused while it runs and at a start, and taken where it is forced', async () => {
  const { engine, path } = await start('changed', ['--registry-watch', 'off']);
  await send(engine, [reading(0, 9), reading(2 * 3_600_000, 4)]);
  const client = await lab.client(engine);
  const { topic } = await client.must({ type: 'subscribe', entity_ids: ['m1'], version: 'v1' });
  assert.is((await get(engine, 'v1')).body.features.max_1h, 4);
  writeFileSync(path, CHANGED);
  const refused = await reload(engine);
  assert.match(
    refused.body.detail,
    /features\.yaml:20:7: view use, version v1, .* from position 0 on: feature max_1h: window.time 1h → 7d; give it a new version/,
  );
  assert.is(refused.body.data.problems.length, 2, 'v2 has it from v1');
  assert.is((await get(engine, 'v1')).body.features.max_1h, 4);
  await engine.end('SIGTERM');

  const failed = await lab.run(['serve', path, '--port', '0', '--data', lab.path('changed/data'), '--workers', '1']);
  assert.is(failed.code, 1);
  assert.match(failed.err, /features\.yaml:20:7: view use, version v1, .*max_1h: window.time 1h → 7d/);
  assert.match(failed.err, /features\.yaml:27:7: view use, version v2/);
  assert.type(topic, 'number');

  const forced = await lab.engine('changed/data', ['--workers', '1', '--force-definitions'], path);
  assert.is((await get(forced, 'v1')).body.features.max_1h, 9);
  await forced.end('SIGTERM');
  const after = await lab.engine('changed/data', ['--workers', '1', '--registry-watch', 'off'], path);
  assert.is((await get(after, 'v1')).body.features.max_1h, 9, 'that is its definition now');
  const watcher = await lab.client(after);
  const subscribed = await watcher.must({ type: 'subscribe', entity_ids: ['m1'], version: 'v1' });
  writeFileSync(path, TEXT);
  assert.is((await reload(after)).status, 422);
  const { body } = await reload(after, { force: true });
  assert.equal([body.changed, body.position], [['use@v1', 'use@v2'], 2]);
  const end = await watcher.next(({ type }) => type === 'end');
  assert.equal([end.topic, end.code], [subscribed.topic, 'definition_changed']);
  assert.is((await get(after, 'v1')).body.features.max_1h, 4, 'no row of the other definition is served');
  await after.end('SIGTERM');
});

test('a removed version ends its topics with the code, those of the others go on', async () => {
  const { engine, path } = await start('removed', ['--registry-watch', 'off'], TEXT + V3);
  await send(engine, [reading(0, 1, { label: 'a' })]);
  const client = await lab.client(engine);
  const kept = await client.must({ type: 'subscribe', entity_ids: ['m1'], version: 'v1' });
  const gone = await client.must({ type: 'subscribe', entity_ids: ['m1'], version: 'v3' });
  writeFileSync(path, TEXT);
  assert.equal((await reload(engine)).body.removed, ['use@v3']);
  const end = await client.next(({ type }) => type === 'end');
  assert.equal([end.topic, end.code], [gone.topic, 'version_removed']);
  await send(engine, [reading(1000, 5, { label: 'b' })]);
  const update = await client.next(({ type }) => type === 'update');
  assert.equal([update.topic, update.features.sum_1h], [kept.topic, 6]);
  const refused = await client.ask({ type: 'subscribe', entity_ids: ['m1'], version: 'v3' });
  assert.equal([refused.type, refused.code], ['error', 'version_removed']);
  assert.equal(client.unasked, []);
  await engine.end('SIGTERM');
});

test('a source that gains a field takes it at once and is null before; one that is gone refuses events', async () => {
  const { engine, path } = await start('sources', ['--registry-watch', 'off']);
  await send(engine, [reading(0, 1)]);
  const grown = TEXT.replace('fields: { value: float', 'fields: { weight: float, value: float');
  writeFileSync(
    path,
    `${grown}      v3:
        features:
          weighed: { type: statistical, field: weight, aggregation: count }
          n: { type: statistical, aggregation: count }
          heaviest: { type: statistical, field: weight, aggregation: max }
`,
  );
  const { body } = await reload(engine);
  assert.equal([body.sources, body.added, body.unchanged], [['readings'], ['use@v3'], ['use@v1', 'use@v2']]);
  await send(engine, [reading(1000, 2, { weight: 70 }), reading(2000, 3, { weight: 60 })]);
  assert.equal((await get(engine, 'v3')).body.features, { weighed: 2, n: 3, heaviest: 70 });
  assert.is((await get(engine, 'v1')).body.features.sum_1h, 6);
  writeFileSync(path, TEXT.replaceAll('readings:', 'meterings:'));
  // Features without a source read the only one there is, so their definitions are others now.
  assert.is((await reload(engine, { force: true })).status, 200);
  assert.is((await send(engine, [reading(3000, 4)])).code, 'unknown_source');
  assert.is((await engine.post('/events/meterings', [reading(3000, 4)])).status, 200);
  assert.is((await get(engine, 'v1')).body.features.sum_1h, 4);
  await engine.end('SIGTERM');
});

test('a Python module that changes is a changed definition, and one that is broken is refused', async () => {
  const feature =
    'spread: { type: python, function: "spreads:spread", source: readings, window: 1h, timeout: 20s }\n          ';
  const text = TEXT.replace('label_last:', `${feature}label_last:`);
  const module = (factor: number) =>
    [
      'import pandas as pd',
      'from headrace import feature',
      '@feature',
      'def spread(df: pd.DataFrame, as_of: pd.Timestamp) -> float:',
      `    return float(${factor} * (df["value"].max() - df["value"].min()))`,
    ].join('\n');
  mkdirSync(lab.path('python'));
  writeFileSync(lab.path('python/spreads.py'), module(1));
  writeFileSync(lab.path('python/features.yaml'), text);
  const engine = await lab.engine('python/data', ['--registry-watch', 'off'], lab.path('python/features.yaml'));
  await send(engine, [reading(0, 3), reading(1000, 5)]);
  assert.is((await get(engine, 'v2')).body.features.spread, 2);
  writeFileSync(lab.path('python/spreads.py'), module(10));
  const { body } = await reload(engine);
  assert.match(body.detail, /:27:7: view use, version v2, .*feature spread: the source text of its Python function/);
  assert.is((await get(engine, 'v2')).body.features.spread, 2);
  assert.equal((await reload(engine, { force: true })).body.changed, ['use@v2']);
  assert.is((await get(engine, 'v2')).body.features.spread, 20);
  writeFileSync(lab.path('python/spreads.py'), 'def spread(:');
  assert.match((await reload(engine, { force: true })).body.data.problems[0].message, /spreads\.py:1/);
  assert.is((await get(engine, 'v2', 'm1')).body.features.spread, 20);
  await engine.end('SIGTERM');
});

test('who asks and sends in a loop while registries come and go is always answered, and rightly', async () => {
  const { engine, path } = await start('loop', ['--registry-watch', 'off']);
  let sent = 0;
  let over = false;
  const failures: string[] = [];
  const known = async () => (await get(engine, 'v2', 'm1')).body;
  const asking = async (): Promise<number> => {
    let count = 0;
    for (; !over; count++) {
      const least = sent;
      const body = await known();
      const n = body.features?.readings_all;
      if (!(n >= least)) failures.push(`${least} were acknowledged: ${JSON.stringify(body)}`);
    }
    return count;
  };
  const sending = async (): Promise<void> => {
    while (!over) {
      const { accepted, ...rest } = await send(engine, [reading(sent * 1000, 1)]);
      if (accepted === 1) sent++;
      else failures.push(JSON.stringify(rest));
    }
  };
  const loops = Promise.all([asking(), asking(), sending()]);
  for (let round = 0; round < 12; round++) {
    // A field that no feature has read yet: the workers must read the log again.
    const field = `extra${round}`;
    const extra = TEXT.replace('{ value: float', `{ ${field}: float, value: float`);
    const version = `      x${round}: { features: { n: { type: statistical, field: ${field}, aggregation: count } } }\n`;
    writeFileSync(path, round % 3 === 2 ? TEXT : extra + version);
    const { status, body } = await reload(engine);
    if (status !== 200) failures.push(JSON.stringify(body));
  }
  over = true;
  const [count] = await loops;
  assert.equal(failures, []);
  assert.ok(count > 0 && sent > 0);
  await engine.end('SIGTERM');
});

test.run();
