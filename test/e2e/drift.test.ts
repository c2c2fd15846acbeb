import { Ajv } from 'ajv';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  AlertsAnswer,
  DriftAnswer,
  FleetAnswer,
  Health,
  IndexAnswer,
  Readiness,
  RegistryAnswer,
} from '../../src/wire/bodies.ts';
import type { Client, Message } from './client.ts';
import { type Engine, eventually, Lab } from './lab.ts';
import { START_MS, seeded } from './meters.ts';

const ENTITIES = 100;
const TICK_MS = 100;
const FLAGS = ['--drift-interval-ms', String(TICK_MS), '--drift-baseline', '200', '--drift-window', '200'];
const OPTIONS = ['--workers', '1', ...FLAGS];

const test = suite('drift');
const lab = new Lab();
const random = seeded(5);
let engine: Engine;
let client: Client;
let ticks = 0;

test.before(async () => {
  engine = await lab.engine('data', OPTIONS);
  client = await lab.client(engine);
});
test.after(() => lab.close());

/** A reading of each meter, a tick of the event clock after those before; over when drift has looked at it. */
async function tick(value: () => number): Promise<void> {
  ticks++;
  const at = START_MS + ticks * TICK_MS;
  const events = Array.from({ length: ENTITIES }, (_, i) => ({ meter: `m${i}`, at, value: value() }));
  await client.must({ type: 'ingest', source: 'readings', events });
  await eventually('a tick', async () => Date.parse((await engine.get('/drift')).as_of) === at);
}

const usual = () => Math.floor(random() * 100);
const shifted = () => 500 + usual();

const last = async (): Promise<Message> => {
  const { features } = await engine.get('/drift');
  return features.find(({ version, feature }: Message) => version === 'v1' && feature === 'last');
};

const firing = async (): Promise<Message[]> => (await engine.get('/alerts')).firing;
const ofLast = ({ name, labels }: Message) =>
  name === 'feature_drift' && labels.feature === 'last' && labels.version === 'v1';

test('nothing is scored before the baseline is full', async () => {
  await tick(usual);
  assert.equal([(await last()).status, (await last()).score], ['insufficient', null]);
  assert.equal(await firing(), []);
});

test('the same distribution scores low, another one high, and the alert reaches who watches', async () => {
  // Two ticks fill the baseline, two more the window.
  for (let i = 0; i < 3; i++) await tick(usual);
  const calm = await last();
  assert.equal([calm.status, calm.baseline_n, calm.current_n], ['ok', 200, 200]);
  assert.ok(calm.score < calm.threshold, JSON.stringify(calm));

  const { offset, epoch } = await client.must({ type: 'watch_alerts' });
  const isOfLast = (message: Message) => message.type === 'alert' && ofLast(message.alert);
  for (let i = 0; i < 2; i++) await tick(shifted);
  assert.is((await last()).alert, 'pending');
  await tick(shifted);
  assert.ok((await firing()).some(ofLast));
  const { offset: fired, alert } = await client.next(isOfLast);
  assert.ok(fired > offset);
  assert.equal([alert.state, alert.severity, alert.ends_at], ['firing', 'warning', null]);
  assert.ok(alert.value > alert.threshold);
  const drifted = await last();
  assert.equal([drifted.drifting, drifted.alert], [true, 'firing']);
  const metrics = await (await fetch(`${engine.url}/metrics`)).text();
  const measured = /^headrace_drift_score\{.*version="v1".*feature="last".*\} (.*)$/m.exec(metrics);
  assert.is(Number(measured?.[1]), drifted.score);

  const other = await lab.client(engine);
  const missed = await other.must({ type: 'watch_alerts', resume: { epoch, offset } });
  assert.is(missed.resumed, true);
  assert.equal((await other.next(isOfLast)).alert, alert);
  await other.close();
});

test('each route that shows the engine answers as documented', async () => {
  const ajv = new Ajv({ allowUnionTypes: true });
  const documented = {
    '/healthz': Health,
    '/readyz': Readiness,
    '/registry': RegistryAnswer,
    '/fleet': FleetAnswer,
    '/drift': DriftAnswer,
    '/alerts': AlertsAnswer,
    '/': IndexAnswer,
  };
  for (const [path, schema] of Object.entries(documented)) {
    assert.ok(ajv.validate(schema, await engine.get(path)), `${path}: ${ajv.errorsText()}`);
  }
  const { paths } = await engine.get('/openapi.json');
  for (const path of Object.keys(documented)) assert.ok(paths[path].get, path);
});

test('what fires outlives a restart', async () => {
  const names = (alerts: Message[]) => alerts.map(({ fingerprint, starts_at }) => `${fingerprint} ${starts_at}`).sort();
  const before = names(await firing());
  assert.ok(before.length > 0);
  assert.is((await engine.end('SIGTERM')).code, 0);
  engine = await lab.engine('data', OPTIONS);
  assert.equal(names(await firing()), before);
  const again = await lab.client(engine);
  const { firing: told } = await again.must({ type: 'watch_alerts' });
  assert.equal(names(told), before);
  // Every page says the same: drift of what fires, and how old the newest event is that was there before.
  const parts = told
    .filter(({ name }: Message) => name === 'feature_drift')
    .map(({ labels }: Message) => labels.feature);
  const { features } = await engine.get('/drift');
  const fires = features.filter(({ alert }: Message) => alert === 'firing').map(({ feature }: Message) => feature);
  assert.ok(parts.length > 0);
  assert.equal(fires.sort(), parts.sort());
  assert.match(await (await fetch(`${engine.url}/metrics`)).text(), /headrace_source_freshness_seconds\{/);
});

test.run();
