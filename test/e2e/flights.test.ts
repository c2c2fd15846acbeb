import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findPython } from '../../src/python.ts';
import type { Message } from './client.ts';
import { type Engine, eventually, Lab } from './lab.ts';
import { seeded } from './meters.ts';

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const FLIGHTS = path('node_modules/vega-datasets/data/flights-3m.parquet');
const REGISTRY = path('examples/flights/features.yaml');
const CHECK = path('examples/flights/check.py');
const LOAD = ['--load', `departures=${FLIGHTS}`, '--load-until', '2001-06-23T12:00:00Z'];
/** Flights up to and including that time. */
const LOADED = 2_871_298;
const LIVE = 10_000;
const LAST = '2001-06-23T12:00:00.000000Z';
const MOMENTS = ['2001-03-15T08:30:00Z', '2001-06-23T06:00:00Z', LAST];
const REPLACED_MS = 4000;

const test = suite('three million flights');
const lab = new Lab();
let engine: Engine;
/** What the engine said of each question the first time, as it stood in the answer. */
const texts = new Map<string, string>();

test.before(async () => {
  engine = await lab.engine('data', [...LOAD, '--workers', '2'], REGISTRY);
});
test.after(() => lab.close());

const questions = [
  ...['ORD', 'ATL', 'LAX'].flatMap((entity_id) =>
    ['v1', 'v2', 'v3'].map((version) => ({ view: 'airport_delay', version, entity_id })),
  ),
  ...['ORD-LAX', 'ATL-ORD'].map((entity_id) => ({ view: 'route_delay', version: 'v1', entity_id })),
].flatMap((question) => MOMENTS.map((as_of) => ({ ...question, as_of })));

/** The features as text, so that every bit counts. */
async function featuresText(question: object): Promise<string> {
  const response = await engine.post('/features', question);
  const text = await response.text();
  assert.is(response.status, 200, text);
  return /"features":(\{[^}]*\})/.exec(text)![1]!;
}

/** Each question with its position has the same bits as the first time. */
async function checkTexts(): Promise<void> {
  const now = await Promise.all(
    questions.map(async (question) => [question, await featuresText({ ...question, position: LOADED })] as const),
  );
  for (const [question, text] of now) assert.is(text, texts.get(JSON.stringify(question)), JSON.stringify(question));
}

test('all flights up to the given time are loaded before it is ready', async () => {
  assert.equal(await engine.get('/readyz'), { ready: true, reasons: [], position: LOADED });
  assert.match(engine.out, `${FLIGHTS}: ${LOADED} events`);
  const response = await engine.post('/features', { view: 'airport_delay', entity_id: 'ORD' });
  const { as_of, position } = (await response.json()) as Message;
  assert.equal({ as_of, position }, { as_of: LAST, position: LOADED });
});

test('the served features of three airports at three moments are those of plain pandas', async () => {
  const { views } = await engine.get('/registry');
  const { versions } = views.find(({ name }: { name: string }) => name === 'airport_delay');
  const features: string[] = versions[2].features.map(({ name }: { name: string }) => name);
  assert.ok(features.length >= 75);
  // It ends with an error where it is served a feature that it does not compute, or the other way round.
  const { stdout } = await promisify(execFile)(findPython(''), [CHECK, FLIGHTS, '--url', engine.url]);
  assert.match(stdout, 'All values equal');
  for (const feature of features) assert.is(stdout.split(` ${feature} `).length - 1, 9, feature);
});

test('a killed worker is replaced in time; who asks meanwhile gets the same bits', async () => {
  for (const question of questions) {
    texts.set(JSON.stringify(question), await featuresText({ ...question, position: LOADED }));
  }
  const dead = (await engine.workers()).map(({ pid }) => pid);
  for (const pid of dead) {
    process.kill(pid, 'SIGKILL');
    const killed = performance.now();
    await checkTexts();
    await eventually('the new worker', async () =>
      (await engine.workers()).every((worker) => worker.pid !== pid && worker.state === 'ready'),
    );
    assert.ok(performance.now() - killed < REPLACED_MS, `all serve again after ${performance.now() - killed} ms`);
  }
});

test('the same moment and position give the same bits after ten thousand more events', async () => {
  const random = seeded(9);
  const airports = ['ORD', 'ATL', 'LAX', 'NEW'];
  const pick = () => airports[Math.floor(random() * airports.length)];
  // Within the day that an event may be late, and up to half a day ahead: half lie before the last moment.
  const event = () => ({
    date: Date.parse(LAST) + Math.round((random() - 0.5) * 24 * 3_600_000),
    origin: pick(),
    destination: pick(),
    delay: random() * 300 - 20,
    distance: random() * 3000,
  });
  const client = await lab.client(engine);
  const question = { ...questions[2]!, as_of: LAST };
  for (let i = 0; i < LIVE / 500; i++) {
    const events = Array.from({ length: 500 }, event);
    const { accepted, late } = await client.must({ type: 'ingest', source: 'departures', events });
    assert.equal({ accepted, late }, { accepted: 500, late: 0 });
  }
  await checkTexts();
  assert.is.not(
    await featuresText(question),
    texts.get(JSON.stringify(question)),
    'without a position it is all known now',
  );
  for (const version of ['v1', 'v2']) {
    const later = { view: 'airport_delay', version, entity_id: 'ORD', as_of: LAST, position: LOADED + LIVE / 2 };
    texts.set(JSON.stringify(later), await featuresText(later));
  }
});

test('and after a restart, which loads nothing again', async () => {
  assert.is((await engine.end('SIGTERM')).code, 0);
  engine = await lab.engine('data', [...LOAD, '--workers', '2'], REGISTRY);
  assert.is((await engine.get('/readyz')).position, LOADED + LIVE);
  assert.match(engine.out, `${FLIGHTS}: 0 events`);
  await checkTexts();
  for (const [question, text] of texts) {
    const { position } = JSON.parse(question);
    if (position !== undefined) assert.is(await featuresText(JSON.parse(question)), text);
  }
});

test.run();
