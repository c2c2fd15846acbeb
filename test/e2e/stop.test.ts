import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client, Message } from './client.ts';
import { eventually, isAlive, Lab, METERS, type Worker, within } from './lab.ts';
import { checkRow, type Known, known, ORACLE_FEATURES, Readings, START_MS, seeded } from './meters.ts';

/** Within this long after SIGTERM the engine has ended. */
const DRAINED_MS = 10_000;

const test = suite('stop');
const lab = new Lab();

test.after(() => lab.close());

test('SIGTERM: goodbye, then what is under way is answered, then 4503 and an end with status 0', async () => {
  const engine = await lab.engine('data', ['--workers', '1', '--drain-ms', '60000']);
  const [busy, idle] = await Promise.all([lab.client(engine), lab.client(engine)]);
  const [worker] = await engine.workers();
  process.kill(worker!.pid, 'SIGSTOP');
  const events = new Readings(seeded(3), 8).batch(40);
  const log: Known[] = known(events, (await busy.must({ type: 'ingest', source: 'readings', events })).position);
  const question = { entity_ids: ['m0', 'm1', 'm2', 'm3'], features: ORACLE_FEATURES };
  const byWebSocket = busy.must({ type: 'get', ...question });
  const byHttp = engine.post('/features/batch', { ...question, entity_ids: ['m4', 'm5', 'm6', 'm7'] });
  await eventually('requests under way', async () => {
    const [{ in_flight_ms, queue }] = (await engine.workers()) as [Worker];
    return in_flight_ms !== null && queue === 8;
  });
  engine.child.kill('SIGTERM');
  for (const client of [busy, idle]) {
    const goodbye = await client.next(({ type }) => type === 'goodbye');
    assert.equal([goodbye.code, goodbye.reconnect], [4503, true]);
    assert.ok(goodbye.after_ms > 0);
  }
  assert.is((await busy.ask({ type: 'get', ...question })).code, 'draining');
  assert.is((await busy.ask({ type: 'ingest', source: 'readings', events })).code, 'draining');
  assert.is((await idle.closed).code, 4503);
  process.kill(worker!.pid, 'SIGCONT');

  const answers: Message[] = await Promise.all([byWebSocket, byHttp.then((response) => response.json())]);
  for (const { rows } of answers) {
    assert.is(rows.length, 4);
    for (const row of rows) checkRow(log, row);
  }
  assert.is((await busy.closed).code, 4503);
  const { code } = await within(DRAINED_MS, 'the end', engine.ended);
  assert.is(code, 0);
  assert.is(isAlive(worker!.pid), false);
});

test('SIGTERM ends it in time where a worker stands still and a client does not read', async () => {
  const engine = await lab.engine('data', ['--workers', '1', '--drain-ms', '500']);
  const client = await lab.client(engine);
  const [worker] = await engine.workers();
  process.kill(worker!.pid, 'SIGSTOP');
  const unanswered = client.ask({ type: 'get', entity_ids: ['m0'], timeout_ms: 60_000 }).catch((error: Error) => error);
  const cutOff = engine.post('/features', { entity_id: 'm1', timeout_ms: 60_000 }).catch((error: Error) => error);
  const still = await lab.client(engine);
  still.ws.pause();
  engine.child.kill('SIGTERM');
  const { code } = await within(DRAINED_MS, 'the end', engine.ended);
  assert.is(code, 0);
  assert.is(isAlive(worker!.pid), false);
  await Promise.all([unanswered, cutOff]);
});

test('events that are acknowledged while it drains are in the log', async () => {
  const engine = await lab.engine('drained', ['--workers', '1']);
  const client = await lab.client(engine);
  const readings = new Readings(seeded(6), 4);
  const positions: number[] = [];
  const lane = async (): Promise<string> => {
    for (;;) {
      const answer = await client
        .ask({ type: 'ingest', source: 'readings', events: readings.batch(10) })
        .catch((error: Error) => ({ type: 'error', code: error.message }) as Message);
      if (answer.type === 'error') return answer.code;
      positions.push(answer.position);
    }
  };
  const lanes = Promise.all(Array.from({ length: 8 }, lane));
  await eventually('events', async () => positions.length > 50);
  engine.child.kill('SIGTERM');
  for (const code of await lanes) assert.match(code, /^draining$|^the connection closed/);
  assert.is((await within(DRAINED_MS, 'the end', engine.ended)).code, 0);
  const again = await lab.engine('drained', ['--workers', '1']);
  assert.is((await again.get('/readyz')).position, positions.length * 10);
  assert.is(Math.max(...positions), positions.length * 10);
});

test('a load that is stopped or killed goes on where it was', async () => {
  // Enough that each signal finds the load under way.
  const rows = 1_000_000;
  const lines = Array.from({ length: rows }, (_, i) => `m${i % 50},${START_MS + i},${i % 100}`);
  writeFileSync(lab.path('readings.csv'), `meter,at,value\n${lines.join('\n')}\n`);
  const args = ['--load', `readings=${lab.path('readings.csv')}`, '--workers', '1'];
  const flags = ['--data', lab.path('loaded'), '--log-level', 'warn', ...args];
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const port = await lab.freePort();
    const loading = lab.start(['serve', METERS, '--port', String(port), ...flags]);
    const state = async (): Promise<Message> =>
      fetch(`http://127.0.0.1:${port}/readyz`).then((response) => response.json().then((body) => ({ response, body })));
    const reached = signal === 'SIGTERM' ? 0 : 300_000;
    await eventually('events', async () => {
      const { response, body } = await state().catch(() => ({ body: { position: 0 } }));
      if (loading.isOver) throw new Error(loading.out + loading.err);
      if (body.position <= reached) return false;
      assert.equal([response.status, body.ready], [503, false]);
      assert.match(body.reasons[0], 'is being loaded');
      return true;
    });
    const { code } = await loading.end(signal);
    assert.is(code, signal === 'SIGTERM' ? 0 : null, loading.err);
  }
  const engine = await lab.engine('loaded', args);
  assert.is((await engine.get('/readyz')).position, rows);
  const client: Client = await lab.client(engine);
  const { rows: answer } = await client.must({
    type: 'get',
    entity_ids: ['m7'],
    features: ['readings_all', 'sum_all'],
  });
  assert.equal(answer[0].features, { readings_all: rows / 50, sum_all: (rows / 100) * (7 + 57) });
});

test.run();
