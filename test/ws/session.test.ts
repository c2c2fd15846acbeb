import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { textFrame } from '../../src/ws/frame.ts';
import { Client, type Message } from './client.ts';
import { type Edges, openEdges } from './edges.ts';

const test = suite<{ edges: Edges; client: Client }>('ws/session');

test.before.each(async (context) => {
  context.edges = await openEdges({ entity_ids_max: 10, events_max: 10, inflight_max: 4, message_bytes_max: 65_536 });
  context.client = await Client.open(context.edges.port);
});

test.after.each(async ({ edges, client }) => {
  client.ws.terminate();
  await edges.close();
});

test('welcome states the epoch and the limits', async ({ edges }) => {
  const client = new Client(edges.port);
  const welcome = await client.next();
  assert.is(welcome.epoch, 'e1');
  assert.is(welcome.ping_ms, 25_000);
  assert.is(welcome.limits.entity_ids_max, 10);
  assert.is(welcome.limits.message_bytes_max, 65_536);
  await client.close();
});

test('get answers from the cache and by computing, in the order asked', async ({ edges, client }) => {
  edges.service.cached.add('ORD');
  const hit = await client.ask({ type: 'get', id: 1, entity_ids: ['ORD'] });
  assert.is(hit.id, 1);
  assert.is(hit.view, 'airport_delay');
  assert.is(hit.rows[0].cached, true);
  const miss = await client.ask({ type: 'get', id: 'two', entity_ids: ['ATL'], surplus: 1 });
  assert.is(miss.id, 'two');
  assert.is(miss.rows[0].cached, false);
  const batch = await client.ask({ type: 'get', id: 3, entity_ids: ['LAX', 'ATL', 'LAX'] });
  assert.equal(
    batch.rows.map((row: { entity_id: string }) => row.entity_id),
    ['LAX', 'ATL', 'LAX'],
  );
  assert.equal(edges.counts.kinds, ['cached', 'computed', 'batch']);
});

test('rows made in a thread arrive whole, also past 64 KiB', async ({ edges, client }) => {
  edges.service.bytes = true;
  const small = await client.ask({ type: 'get', id: 1, entity_ids: ['ORD'] });
  assert.is(small.rows[0].entity_id, 'ORD');
  const long = 'é'.repeat(250);
  const wide = await client.ask({ type: 'get', id: 2, entity_ids: Array(10).fill(long) });
  assert.is(wide.rows.length, 10);
  assert.is(wide.rows[9].entity_id, long);
});

test('an empty id and an id of 10 kB fail in their own rows', async ({ client }) => {
  const { rows } = await client.ask({ type: 'get', id: 1, entity_ids: ['', 'ORD', 'x'.repeat(10_000)] });
  assert.is(rows[0].error.code, 'invalid_entity_id');
  assert.is(rows[1].entity_id, 'ORD');
  assert.is(rows[2].error.code, 'invalid_entity_id');
});

test('answers may come out of order, and ids of any number are echoed', async ({ edges, client }) => {
  edges.service.held = [];
  edges.service.cached.add('ORD');
  client.send({ type: 'get', id: 1.5, entity_ids: ['ATL'] });
  client.send({ type: 'get', id: -2, entity_ids: ['ORD'] });
  assert.is((await client.next()).id, -2);
  edges.service.release();
  assert.is((await client.next()).id, 1.5);
});

test('a result, and what is subscribed, says that its version is deprecated', async ({ edges, client }) => {
  edges.service.isDeprecated = true;
  const warned = await client.ask({ type: 'get', id: 1, entity_ids: ['ATL'] });
  const { view, version, deprecated } = await client.ask({ type: 'subscribe', id: 3, entity_ids: ['ATL'] });
  edges.service.isDeprecated = false;
  assert.equal([view, version, deprecated], [warned.view, warned.version, '2026-01-31']);
  assert.is(warned.deprecated, '2026-01-31');
  assert.not('deprecated' in (await client.ask({ type: 'get', id: 2, entity_ids: ['ATL'] })));
});

const BAD: [string, object, string, string][] = [
  ['no id', { type: 'get', entity_ids: ['ORD'] }, 'bad_request', 'get lacks id'],
  ['an id that is an object', { type: 'get', id: {}, entity_ids: [] }, 'bad_request', 'id of get is an object'],
  [
    'ids that are no array',
    { type: 'get', id: 1, entity_ids: 'ORD' },
    'bad_request',
    'entity_ids of get is "ORD"; expected an array',
  ],
  [
    'an id that is a number',
    { type: 'get', id: 1, entity_ids: ['ORD', 5] },
    'bad_request',
    'entity_ids[1] of get is 5; expected a string',
  ],
  [
    'a negative timeout',
    { type: 'get', id: 1, entity_ids: [], timeout_ms: -1 },
    'bad_request',
    'timeout_ms of get is -1; expected at least 1',
  ],
  ['an unknown view', { type: 'get', id: 1, entity_ids: ['ORD'], view: 'no' }, 'unknown_view', 'no view is called no'],
  ['an unknown version', { type: 'get', id: 1, entity_ids: ['ORD'], version: 'v9' }, 'unknown_version', 'v9'],
  [
    'an unknown feature',
    { type: 'get', id: 1, entity_ids: ['ORD'], features: ['no'] },
    'unknown_feature',
    'no feature is called no',
  ],
  ['a time that is none', { type: 'get', id: 1, entity_ids: ['ORD'], as_of: 'yesterday' }, 'invalid_time', 'yesterday'],
  [
    'request inputs of a subscription',
    { type: 'subscribe', id: 1, entity_ids: ['ORD'], request: {} },
    'unsupported',
    'request is not offered',
  ],
  [
    'a feature of the request in a subscription',
    { type: 'subscribe', id: 1, entity_ids: ['ORD'], features: ['hour'] },
    'unsupported',
    'hour depends on the request',
  ],
  ['too many ids', { type: 'get', id: 1, entity_ids: Array(11).fill('ORD') }, 'too_many', '11 entity ids; at most 10'],
  ['all entities', { type: 'subscribe', id: 1, entity_ids: '*' }, 'unsupported', 'entity_ids "*" is not offered'],
  [
    'neither ids nor all',
    { type: 'subscribe', id: 1, entity_ids: 5 },
    'bad_request',
    'entity_ids of subscribe is 5; expected an array or a string',
  ],
  [
    'an interval',
    { type: 'subscribe', id: 1, entity_ids: ['ORD'], min_interval_ms: 5 },
    'unsupported',
    'min_interval_ms',
  ],
  ['on_change', { type: 'subscribe', id: 1, entity_ids: ['ORD'], on_change: { abs: 1 } }, 'unsupported', 'on_change'],
  ['when', { type: 'subscribe', id: 1, entity_ids: ['ORD'], when: 'a > 1' }, 'unsupported', 'when'],
  ['a foreign topic', { type: 'unsubscribe', id: 1, topic: 9 }, 'unknown_topic', 'topic 9'],
  [
    'an unknown source',
    { type: 'ingest', id: 1, source: 'no', events: [] },
    'unknown_source',
    'no source is called no',
  ],
  [
    'neither events nor columns',
    { type: 'ingest', id: 1, source: 'departures' },
    'bad_request',
    'either events or columns',
  ],
  [
    'columns of two lengths',
    { type: 'ingest', id: 1, source: 'departures', columns: { a: [1], b: [] } },
    'bad_request',
    'columns.b has 0 values and columns.a has 1',
  ],
  [
    'too many events',
    { type: 'ingest', id: 1, source: 'departures', events: Array(11).fill({}) },
    'too_many',
    '11 events',
  ],
  [
    'a batch without producer',
    { type: 'ingest', id: 1, source: 'departures', events: [], batch: 1 },
    'bad_request',
    'together',
  ],
  [
    'a batch that is no integer',
    { type: 'ingest', id: 1, source: 'departures', events: [], producer: 'p', batch: 1.5 },
    'bad_request',
    'batch of ingest is 1.5',
  ],
  [
    'an unknown severity',
    { type: 'watch_alerts', id: 1, severity: 'mild' },
    'bad_request',
    'one of info, warning, critical',
  ],
  ['an unknown type', { type: 'got', id: 1 }, 'unknown_type', '"got"'],
];

for (const [what, message, code, words] of BAD) {
  test(`${what}: ${code}, and the connection lives`, async ({ client }) => {
    const error = await client.ask(message);
    assert.is(error.type, 'error');
    assert.is(error.code, code);
    assert.ok(error.message.includes(words), error.message);
    assert.is(error.id, 'id' in message && typeof message.id === 'number' ? message.id : undefined);
    assert.is((await client.ask({ type: 'ping' })).type, 'pong');
  });
}

test('text that is no JSON, arrays and binary frames are errors without id', async ({ client }) => {
  assert.is((await client.ask('{')).code, 'malformed_json');
  assert.is((await client.ask('[1]')).code, 'bad_request');
  assert.is((await client.ask('null')).code, 'bad_request');
  client.ws.send(Buffer.from('{}'));
  const error = await client.next();
  assert.is(error.code, 'bad_request');
  assert.not('id' in error);
  assert.is((await client.ask({ type: 'ping', id: 3 })).id, 3);
});

test('numbers that JSON cannot tell apart name neither a request nor a batch', async ({ edges, client }) => {
  const error = await client.ask('{"type":"get","id":9007199254740993,"entity_ids":["ORD"]}');
  assert.is(error.code, 'bad_request');
  assert.match(error.message, 'send it as text');
  assert.not('id' in error);
  const ingest = (batch: string): Promise<Message> =>
    client.ask(`{"type":"ingest","id":1,"source":"departures","events":[{}],"producer":"p","batch":${batch}}`);
  const refused = await ingest('9007199254740993');
  assert.is(refused.code, 'bad_request');
  assert.match(refused.message, 'send it as text');
  assert.is(edges.service.taken.length, 0);
  assert.is((await ingest('"9007199254740993"')).accepted, 1);
});

test('NaN is no JSON, and infinity is no number', async ({ client }) => {
  assert.is((await client.ask('{"type":"get","id":1,"entity_ids":["ORD"],"as_of":NaN}')).code, 'malformed_json');
  for (const field of ['as_of', 'timeout_ms', 'position']) {
    const error = await client.ask(`{"type":"get","id":1,"entity_ids":["ORD"],"${field}":1e999}`);
    assert.is(error.code, 'bad_request');
    assert.ok(error.message.startsWith(`${field} of get is Infinity`), error.message);
  }
  const error = await client.ask('{"type":"get","id":1e999,"entity_ids":["ORD"]}');
  assert.is(error.code, 'bad_request');
  assert.not('id' in error);
});

test('ten unreadable messages in a row close with 4400', async ({ client }) => {
  for (let i = 0; i < 9; i++) assert.is((await client.ask('nonsense')).code, 'malformed_json');
  assert.is((await client.ask({ type: 'ping' })).type, 'pong');
  for (let i = 0; i < 10; i++) client.send('nonsense');
  for (let i = 0; i < 10; i++) assert.is((await client.next()).code, 'malformed_json');
  assert.equal(await client.closed, { code: 4400, reason: 'bad_messages' });
});

test('a message over the limit closes with 1009, and the server lives', async ({ edges, client }) => {
  client.send({ type: 'ping', id: 'x'.repeat(70_000) });
  assert.is((await client.closed).code, 1009);
  const next = await Client.open(edges.port);
  await next.close();
});

test('subscribe, update, unsubscribe', async ({ edges, client }) => {
  const subscribed = await client.ask({ type: 'subscribe', id: 1, entity_ids: ['ORD', ''] });
  assert.is(subscribed.topic, 1);
  assert.is(subscribed.resumed, false);
  assert.equal(
    subscribed.rows.map((row: { entity_id: string }) => row.entity_id),
    ['ORD'],
  );
  assert.is(subscribed.rejected[0].code, 'invalid_entity_id');
  const { sink } = edges.service.subscriptions[0]!;
  const update = { ...JSON.parse(JSON.stringify(subscribed.rows[0])), type: 'update', topic: 1, revision: 2 };
  sink.update(textFrame(JSON.stringify(update)));
  sink.update(textFrame(JSON.stringify({ ...update, revision: 3 })));
  sink.flush();
  assert.is((await client.next()).revision, 2);
  assert.is((await client.next()).revision, 3);
  sink.control({ type: 'lagged', topic: 1, skipped: 4 });
  assert.is((await client.next()).skipped, 4);
  assert.equal(await client.ask({ type: 'unsubscribe', id: 2, topic: 1 }), { type: 'unsubscribed', id: 2, topic: 1 });
});

test('subscribe without a snapshot, and with what is held', async ({ edges, client }) => {
  const message = { type: 'subscribe', id: 1, entity_ids: ['ORD'], snapshot: false };
  assert.equal((await client.ask(message)).rows, []);
  const resume = { epoch: 'e1', revisions: { ORD: 5 } };
  assert.is((await client.ask({ ...message, resume })).resumed, true);
  assert.equal(edges.service.subscriptions[1]!.request.resume, resume);
});

test('replies of a turn pass its updates', async ({ edges, client }) => {
  const { rows } = await client.ask({ type: 'subscribe', id: 1, entity_ids: ['ORD'] });
  const { sink } = edges.service.subscriptions[0]!;
  edges.service.held = [];
  client.send({ type: 'get', id: 2, entity_ids: ['ATL'] });
  while (edges.service.held.length === 0) await new Promise((resolve) => setImmediate(resolve));
  sink.update(textFrame(JSON.stringify({ ...rows[0], type: 'update', topic: 1 })));
  edges.service.release();
  sink.flush();
  assert.is((await client.next()).type, 'result');
  assert.is((await client.next()).type, 'update');
});

test('ingest by events and by columns', async ({ edges, client }) => {
  const first = await client.ask({ type: 'ingest', id: 1, source: 'departures', events: [{ a: 1 }, 5] });
  assert.is(first.accepted, 1);
  assert.equal(first.rejected, [{ index: 1, code: 'not_an_object', message: 'no object' }]);
  const key = { producer: 'p', batch: 7, chunk: 2 };
  const second = await client.ask({ type: 'ingest', id: 2, source: 'departures', columns: { a: [1, 2] }, ...key });
  assert.is(second.position, 3);
  assert.equal(edges.service.taken[1]!.key, key);
});

test('alerts: what was missed follows the answer', async ({ edges, client }) => {
  const watching = await client.ask({ type: 'watch_alerts', id: 1, resume: { epoch: 'a1', offset: 1 } });
  assert.is(watching.resumed, true);
  assert.is((await client.next()).offset, 2);
  edges.service.alertSink!.control({ type: 'alert', epoch: 'a1', offset: 3, alert: {} });
  assert.is((await client.next()).offset, 3);
});

test('hello, auth and pong are taken without an answer', async ({ client }) => {
  client.send({ type: 'hello', client: 'test' });
  client.send({ type: 'auth', token: 'x' });
  client.send({ type: 'pong' });
  assert.equal(await client.ask({ type: 'ping' }), { type: 'pong' });
});

test('requests past the bound are told overloaded', async ({ edges, client }) => {
  edges.service.held = [];
  for (let id = 1; id <= 5; id++) client.send({ type: 'get', id, entity_ids: ['ATL'] });
  const error = await client.next();
  assert.is(error.code, 'overloaded');
  assert.is(error.id, 5);
  assert.is(error.temporary, true);
  assert.is(error.retry_after_ms, 100);
  edges.service.release();
  for (let id = 1; id <= 4; id++) assert.is((await client.next()).id, id);
  assert.is((await client.ask({ type: 'get', id: 6, entity_ids: ['ATL'] })).id, 6);
});

test('a failure in the engine is internal and shows nothing of it', async ({ edges, client }) => {
  const error = await client.ask({ type: 'get', id: 1, entity_ids: ['broken'] });
  assert.is(error.code, 'internal');
  assert.not.ok(error.message.includes('a bug'));
  assert.is((await client.ask({ type: 'get', id: 2, entity_ids: ['unavailable'] })).retry_after_ms, 1500);
  edges.service.refuse = [new HeadraceError('overloaded', 'full', { retryAfterMs: 50 })];
  const message = { type: 'ingest', id: 3, source: 'departures', events: [{}] };
  assert.is((await client.ask(message)).retry_after_ms, 50);
  assert.is((await client.ask(message)).accepted, 1);
});

test.run();
