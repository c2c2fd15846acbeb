import { request } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { problem } from '../http/client.ts';
import { Client, type Message } from './client.ts';
import { type Engine, Lab } from './lab.ts';
import { checkRow, type Known, known, ORACLE_FEATURES, START_MS } from './meters.ts';

const DAY_MS = 86_400_000;
const LIMITS = ['--message-bytes-max', '100000', '--entity-ids-max', '100', '--events-max', '50'];
const LONG = 'x'.repeat(10_000);

const test = suite('bad input');
const lab = new Lab();
const log: Known[] = [];
let engine: Engine;
let client: Client;

test.before(async () => {
  engine = await lab.engine('data', ['--workers', '1', ...LIMITS]);
  client = await lab.client(engine);
  await checkGood();
});

// Whatever came before: the same engine and connection take a good event, and have lost none.
test.after.each(() => checkGood());

test.after(async () => {
  const { err } = engine;
  await lab.close();
  assert.is(err, '', 'the engine had nothing to warn of');
});

/** A good event is taken at the position after the last, and seen with all that were taken before. */
async function checkGood(): Promise<void> {
  const events = [{ meter: 'good', at: START_MS + log.length, value: log.length }];
  const { position } = await client.must({ type: 'ingest', source: 'readings', events });
  assert.is(position, log.length + 1);
  log.push(...known(events, position));
  const { rows } = await client.must({ type: 'get', entity_ids: ['good'], features: ORACLE_FEATURES });
  checkRow(log, rows[0]);
}

async function refused(message: object, code: string): Promise<void> {
  const answer = await client.ask(message);
  assert.is(answer.type, 'error', JSON.stringify(answer));
  assert.is(answer.code, code, answer.message);
  assert.ok(answer.message.length > 10);
}

/** What is wrong with a request for values, in WebSocket and HTTP alike. */
const BAD_READS: [object, number, string][] = [
  [{ view: 'nope' }, 404, 'unknown_view'],
  [{ view: 5 }, 400, 'bad_request'],
  [{ version: 'v9' }, 404, 'unknown_version'],
  [{ features: ['sum_1h', 'nope'] }, 404, 'unknown_feature'],
  [{ features: [] }, 400, 'bad_request'],
  [{ features: 'sum_1h' }, 400, 'bad_request'],
  [{ as_of: 'soon' }, 422, 'invalid_time'],
  [{ as_of: 12 }, 422, 'invalid_time'],
  [{ as_of: START_MS / 1000 }, 422, 'invalid_time'],
  [{ as_of: START_MS - 60 * DAY_MS }, 422, 'as_of_out_of_history'],
  [{ as_of: null }, 400, 'bad_request'],
  [{ position: 1_000_000 }, 422, 'unknown_position'],
  [{ position: -1 }, 400, 'bad_request'],
  [{ position: 0.5 }, 400, 'bad_request'],
  [{ min_position: 'all' }, 400, 'bad_request'],
  [{ timeout_ms: 0 }, 400, 'bad_request'],
  [{ service: 'model' }, 404, 'unknown_service'],
  [{ service: 5 }, 400, 'bad_request'],
  [{ request: { amount: 5 } }, 404, 'unknown_input'],
  [{ request: [] }, 400, 'bad_request'],
];

test('requests for values', async () => {
  for (const [bad, status, code] of BAD_READS) {
    await refused({ type: 'get', entity_ids: ['good'], ...bad }, code);
    await problem(await engine.post('/features/batch', { entity_ids: ['good'], ...bad }), status, code);
    await problem(await engine.post('/features', { entity_id: 'good', ...bad }), status, code);
  }
  for (const ids of ['good', [5], [null], null, undefined]) {
    await refused({ type: 'get', entity_ids: ids }, 'bad_request');
    await problem(await engine.post('/features/batch', { entity_ids: ids }), 400, 'bad_request');
  }
  const ids = Array.from({ length: 101 }, (_, i) => `m${i}`);
  await refused({ type: 'get', entity_ids: ids }, 'too_many');
  await problem(await engine.post('/features/batch', { entity_ids: ids }), 413, 'too_many');
});

test('entity ids that are none spoil their own rows', async () => {
  const ids = ['', 'good', LONG, 'a\u0000b', '\ud800', 'never heard of'];
  const wanted = [
    'invalid_entity_id',
    undefined,
    'invalid_entity_id',
    'invalid_entity_id',
    'invalid_entity_id',
    undefined,
  ];
  const answer = await client.must({ type: 'get', entity_ids: ids });
  const response = await engine.post('/features/batch', { entity_ids: ids });
  for (const { rows } of [answer, (await response.json()) as Message]) {
    assert.equal(
      rows.map((row: Message) => row.error?.code),
      wanted,
    );
  }
  for (const entity_id of ['', LONG]) {
    await problem(await engine.post('/features', { entity_id }), 422, 'invalid_entity_id');
  }
  const subscribed = await client.must({ type: 'subscribe', entity_ids: ids });
  assert.is(subscribed.rows.length, 2);
  assert.equal(
    subscribed.rejected.map(({ code }: Message) => code),
    Array(4).fill('invalid_entity_id'),
  );
  await client.must({ type: 'unsubscribe', topic: subscribed.topic });
});

test('subscriptions', async () => {
  await refused({ type: 'subscribe', entity_ids: '*' }, 'unsupported');
  await refused({ type: 'subscribe', entity_ids: ['good'], min_interval_ms: 5 }, 'unsupported');
  await refused({ type: 'subscribe', entity_ids: ['good'], view: 'nope' }, 'unknown_view');
  await refused({ type: 'subscribe', entity_ids: ['good'], resume: 7 }, 'bad_request');
  await refused({ type: 'unsubscribe', topic: 1_000 }, 'unknown_topic');
  await refused({ type: 'unsubscribe' }, 'bad_request');
  await refused({ type: 'watch_alerts', severity: 'loud' }, 'bad_request');
});

const at = START_MS + 1000;
/** As text, since JSON.stringify writes neither 1e999 nor half a pair. */
const BAD_EVENTS: [string, string][] = [
  ['5', 'not_an_object'],
  ['null', 'not_an_object'],
  ['[]', 'not_an_object'],
  [`{"at":${at}}`, 'missing_key'],
  [`{"at":${at},"meter":null}`, 'missing_key'],
  [`{"at":${at},"meter":""}`, 'invalid_entity_id'],
  [`{"at":${at},"meter":"${LONG}"}`, 'invalid_entity_id'],
  [`{"at":${at},"meter":"\\ud800"}`, 'invalid_entity_id'],
  ['{"meter":"bad"}', 'missing_timestamp'],
  ['{"meter":"bad","at":null}', 'missing_timestamp'],
  ['{"meter":"bad","at":"yesterday"}', 'invalid_time'],
  ['{"meter":"bad","at":"2024-02-30"}', 'invalid_time'],
  ['{"meter":"bad","at":true}', 'invalid_time'],
  ['{"meter":"bad","at":1e999}', 'invalid_time'],
  [`{"meter":"bad","at":${START_MS / 1000}}`, 'invalid_time'],
  [`{"meter":"bad","at":${START_MS * 1000}}`, 'invalid_time'],
  [`{"meter":"bad","at":${START_MS + 2 * DAY_MS}}`, 'too_far_ahead'],
  [`{"meter":"bad","at":${at},"value":1e999}`, 'not_finite'],
  [`{"meter":"bad","at":${at},"value":"NaN"}`, 'not_finite'],
  [`{"meter":"bad","at":${at},"value":"-Infinity"}`, 'not_finite'],
  [`{"meter":"bad","at":${at},"value":"12"}`, 'invalid_field'],
  [`{"meter":"bad","at":${at},"value":true}`, 'invalid_field'],
  [`{"meter":"bad","at":${at},"value":{}}`, 'invalid_field'],
  [`{"meter":"bad","at":${at},"label":["a"]}`, 'invalid_field'],
];

/** A good one before and after. */
function goodOnes(): { meter: string; at: number; value: number }[] {
  return [0, 1].map((i) => ({ meter: 'good', at: at + i, value: 100 + i }));
}

function checkTaken(answer: Message, good: ReturnType<typeof goodOnes>): void {
  assert.is(answer.accepted, 2, JSON.stringify(answer));
  assert.equal(
    answer.rejected.map(({ index, code }: Message) => [index, code]),
    BAD_EVENTS.map(([, code], i) => [i + 1, code]),
  );
  for (const { message } of answer.rejected) assert.ok(message.length > 10 && message.length < 1000, message);
  assert.is(answer.position, log.length + 2);
  log.push(...known(good, answer.position));
}

function withBad(good: object[]): string[] {
  const [first, second] = good.map((event) => JSON.stringify(event));
  return [first!, ...BAD_EVENTS.map(([text]) => text), second!];
}

test('events: each bad one is rejected by its index, the others are taken', async () => {
  let good = goodOnes();
  const answer = client.next((message) => message.id === 'events');
  client.send(`{"type":"ingest","id":"events","source":"readings","events":[${withBad(good).join()}]}`);
  checkTaken(await answer, good);

  good = goodOnes();
  checkTaken(await (await engine.post('/events/readings', `[${withBad(good).join()}]`)).json(), good);

  good = goodOnes();
  const lines = await engine.post('/events/readings', withBad(good).join('\n'), {
    'content-type': 'application/x-ndjson',
  });
  checkTaken(await lines.json(), good);
});

test('events by column', async () => {
  const columns = { meter: ['good', '', 'bad', 'bad'], at: [at, at, 'x', at], value: [1, 1, 1, 'x'] };
  const answer = await client.must({ type: 'ingest', source: 'readings', columns });
  assert.equal(
    answer.rejected.map(({ code }: Message) => code),
    ['invalid_entity_id', 'invalid_time', 'invalid_field'],
  );
  log.push(...known([{ meter: 'good', at, value: 1 }], answer.position));
  await refused({ type: 'ingest', source: 'readings', columns: { meter: ['a', 'b'], at: [1] } }, 'bad_request');
  await refused({ type: 'ingest', source: 'readings', columns: {} }, 'bad_request');
  await refused({ type: 'ingest', source: 'readings', columns: { meter: 'a' } }, 'bad_request');
});

test('requests with events that are refused as a whole', async () => {
  const ingest = { type: 'ingest', source: 'readings' };
  const event = { meter: 'bad', at };
  await refused(ingest, 'bad_request');
  await refused({ ...ingest, events: [event], columns: {} }, 'bad_request');
  await refused({ ...ingest, events: event }, 'bad_request');
  await refused({ ...ingest, events: [event], source: 'nope' }, 'unknown_source');
  await refused({ ...ingest, events: Array(51).fill(event) }, 'too_many');
  await refused({ ...ingest, events: [event], producer: 'p' }, 'bad_request');
  await refused({ ...ingest, events: [event], producer: 'p', batch: 1.5 }, 'bad_request');
  await refused({ ...ingest, events: [event], producer: '', batch: 1 }, 'bad_request');
  await problem(await engine.post('/events/nope', [event]), 404, 'unknown_source');
  await problem(await engine.post('/events/readings', Array(51).fill(event)), 413, 'too_many');
  await problem(await engine.post('/events/readings', [event], { 'x-producer': 'p' }), 400, 'bad_request');

  const events = [{ meter: 'good', at, value: 5 }];
  const { position } = await client.must({ ...ingest, events, producer: 'p', batch: 'b' });
  log.push(...known(events, position));
  await refused({ ...ingest, events: [{ ...events[0], value: 6 }], producer: 'p', batch: 'b' }, 'batch_conflict');
  const again = await engine.post('/events/readings', [event], { 'x-producer': 'p', 'idempotency-key': 'b' });
  await problem(again, 422, 'batch_conflict');
  const empty = await client.must({ ...ingest, events: [] });
  assert.equal([empty.accepted, empty.rejected], [0, []]);
});

test('messages that cannot be read', async () => {
  const bad = async (message: string | Buffer, code: string) => {
    client.ws.send(message);
    const error = await client.next(({ type }) => type === 'error');
    assert.equal([error.code, error.id], [code, undefined]);
  };
  for (const text of ['', '{', 'NaN', '{"value":NaN}', '[1,']) await bad(text, 'malformed_json');
  // A message that can be read in between, so that the connection does not count ten in a row.
  assert.is((await client.ask({ type: 'ping' })).type, 'pong');
  for (const text of ['5', 'null', '"get"', '[]', '{}', '{"type":7}']) await bad(text, 'bad_request');
  await bad(Buffer.from('{}'), 'bad_request');
  await refused({ type: 'nope' }, 'unknown_type');
  await refused({ type: 'constructor' }, 'unknown_type');
  client.send({ type: 'get', entity_ids: ['good'] });
  assert.is((await client.next(({ type }) => type === 'error')).code, 'bad_request', 'a get without id');
});

test('bodies and routes that cannot be read', async () => {
  for (const path of ['/features', '/features/batch', '/events/readings']) {
    for (const text of ['{', 'NaN', '[1,']) await problem(await engine.post(path, text), 400, 'malformed_json');
    await problem(await engine.post(path, '5'), 400, 'bad_request');
    await problem(await engine.post(path, 'a', { 'content-type': 'text/csv' }), 415, 'unsupported_media_type');
    await problem(await engine.post(path, JSON.stringify([LONG.repeat(11)])), 413, 'too_large');
    await problem(await fetch(engine.url + path), 405, 'method_not_allowed');
  }
  await problem(await fetch(`${engine.url}/nope`), 404, 'not_found');
  await problem(await fetch(`${engine.url}/ws`), 404, 'not_found');
  await problem(await fetch(`${engine.url}/%`), 400, 'bad_request');
});

test('a Host that is not this machine', async () => {
  const status = await new Promise((resolve, reject) => {
    const { port } = new URL(engine.url);
    const sent = request({ host: '127.0.0.1', port, path: '/healthz', headers: { host: 'evil.example' } });
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject).end();
  });
  assert.is(status, 400);
});

test('what ends a connection ends that one only', async () => {
  const closedWith = async (send: (other: Client) => void) => {
    const other = await lab.client(engine);
    send(other);
    return (await other.closed).code;
  };
  assert.is(await closedWith((other) => other.send(' '.repeat(100_001))), 1009);
  assert.is(await closedWith((other) => other.ws.send(Buffer.from([0xff, 0xfe]), { binary: false })), 1007);
  const ten = (other: Client) => {
    for (let i = 0; i < 10; i++) other.send('nonsense');
  };
  assert.is(await closedWith(ten), 4400);

  const other = new WebSocket(engine.wsUrl, ['soap']);
  const closed = new Promise<number>((resolve) => other.once('close', resolve));
  await new Promise((resolve) => other.once('open', resolve));
  assert.is(other.protocol, 'soap', 'one that was offered is echoed, so that the client sees the code');
  assert.is(await closed, 4406);

  const plain = new Client(engine.wsUrl, []);
  assert.is((await plain.opened).type, 'welcome');
  await plain.close();
});

test.run();
