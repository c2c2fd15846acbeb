import { once } from 'node:events';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { textFrame } from '../../src/ws/frame.ts';
import { Client } from './client.ts';
import { type Edges, openEdges } from './edges.ts';

const test = suite<{ edges: Edges }>('ws/server');

const open = async (context: { edges: Edges }, options = {}): Promise<Edges> => {
  context.edges = await openEdges(options);
  return context.edges;
};

test.after.each(({ edges }) => edges.close());

const turns = async (until: () => boolean): Promise<void> => {
  while (!until()) await new Promise((resolve) => setTimeout(resolve, 1));
};

test('the subprotocol is chosen, and may be left out', async (context) => {
  const { port } = await open(context);
  for (const offer of [[], ['headrace.v1.json'], ['other', 'headrace.v1.json']]) {
    const client = new Client(port, offer);
    assert.is((await client.next()).type, 'welcome');
    assert.is(client.ws.protocol, offer.length === 0 ? '' : 'headrace.v1.json');
    await client.close();
  }
});

test('an offer of unknown subprotocols is echoed and closed with 4406', async (context) => {
  const { port } = await open(context);
  const client = new Client(port, ['headrace.v9.json', 'mqtt']);
  assert.is((await client.closed).code, 4406);
  assert.is(client.ws.protocol, 'headrace.v9.json');
});

async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.setEncoding('utf8');
  socket.end(request);
  let answer = '';
  for await (const piece of socket) answer += piece;
  return answer;
}

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

test('an upgrade elsewhere is 404, and under a foreign name 400', async (context) => {
  const { port } = await open(context);
  const elsewhere = await raw(port, `GET /other HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}`);
  assert.match(elsewhere, /^HTTP\/1\.1 404 /);
  assert.match(elsewhere, /"code":"not_found"/);
  assert.match(await raw(port, `GET /ws HTTP/1.1\r\nHost: evil.example\r\n${UPGRADE}`), /^HTTP\/1\.1 400 [\s\S]*evil/);
  assert.match(await raw(port, 'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 404/);
  const client = await Client.open(port);
  await client.close();
});

test('a page of another site cannot open the WebSocket, one of this machine can', async (context) => {
  const { port } = await open(context);
  const upgrade = (origin: string): Promise<string> =>
    raw(port, `GET /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\n${UPGRADE}`);
  for (const origin of ['https://evil.example', 'null', 'https://localhost.evil.example']) {
    const answer = await upgrade(origin);
    assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/, origin);
    assert.match(answer, 'the Origin header names');
  }
  for (const origin of ['http://localhost:3000', 'http://app.localhost', 'http://127.0.0.1:80', 'http://[::1]']) {
    assert.match(await upgrade(origin), /^HTTP\/1\.1 101 /, origin);
  }
});

test('text that is not UTF-8 closes with 1007', async (context) => {
  const { port } = await open(context);
  const client = await Client.open(port);
  client.ws.send(Buffer.from([0xff, 0xfe]), { binary: false });
  assert.is((await client.closed).code, 1007);
});

test('a client that answers no ping is cut off, one that does stays', async (context) => {
  const { port, counts } = await open(context, { ping_ms: 20, ping_slack_ms: 60 });
  const lively = await Client.open(port);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`GET /ws HTTP/1.1\r\nHost: localhost\r\n${UPGRADE}`);
  socket.resume();
  await once(socket, 'close');
  await turns(() => counts.connections === 1);
  assert.is((await lively.ask({ type: 'ping' })).type, 'pong');
  await lively.close();
});

test('closing tells push', async (context) => {
  const { port, service, counts, ws } = await open(context);
  const client = await Client.open(port);
  client.send({ type: 'subscribe', id: 1, entity_ids: ['ORD'] });
  await client.next();
  assert.is(ws.connections, 1);
  client.ws.terminate();
  await turns(() => service.closedSinks.length === 1);
  assert.is(service.closedSinks[0], service.subscriptions[0]!.sink);
  assert.is(counts.connections, 0);
  service.subscriptions[0]!.sink.update(textFrame('{}'));
  service.subscriptions[0]!.sink.flush();
});

test('a stopped reader is congested, is told of room again, and its replies overflow into 4508', async (context) => {
  const { port, service } = await open(context, { send_watermark_bytes: 65_536, reply_queue_bytes_max: 1_000_000 });
  const client = await Client.open(port);
  await client.ask({ type: 'subscribe', id: 1, entity_ids: ['ORD'] });
  const { sink } = service.subscriptions[0]!;
  const frame = textFrame(JSON.stringify({ type: 'lagged', topic: 1, skipped: 1, pad: 'x'.repeat(50_000) }));
  client.ws.pause();
  while (!sink.congested) {
    sink.update(frame);
    sink.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(service.drainedCount, 0);
  client.ws.resume();
  await turns(() => service.drainedCount > 0);
  assert.not(sink.congested);

  client.ws.pause();
  const pad = { type: 'end', topic: 1, code: 'internal', message: 'x'.repeat(100_000) };
  for (let i = 0; i < 400; i++) {
    sink.control(pad);
    await new Promise((resolve) => setImmediate(resolve));
  }
  client.ws.resume();
  assert.is((await client.closed).code, 4508);
});

test('draining: goodbye, requests under way are answered, 4503', async (context) => {
  const { port, service, ws, startDraining } = await open(context);
  const idle = await Client.open(port);
  const busy = await Client.open(port);
  service.held = [];
  busy.send({ type: 'get', id: 1, entity_ids: ['ORD'] });
  await turns(() => service.held!.length === 1);
  startDraining();
  const drained = ws.drain(5000);
  const goodbye = { type: 'goodbye', code: 4503, reconnect: true, after_ms: 2600 };
  assert.equal(await idle.next(), goodbye);
  assert.is((await idle.closed).code, 4503);
  assert.equal(await busy.next(), goodbye);
  assert.is((await busy.ask({ type: 'get', id: 2, entity_ids: ['ORD'] })).code, 'draining');
  const late = new Client(port);
  assert.is((await late.closed).code, 1006);
  service.release();
  assert.is((await busy.next()).id, 1);
  assert.is((await busy.closed).code, 4503);
  await drained;
});

test('draining cuts off who does not go', async (context) => {
  const { port, service, ws } = await open(context);
  const client = await Client.open(port);
  service.held = [];
  client.send({ type: 'get', id: 1, entity_ids: ['ORD'] });
  await turns(() => service.held!.length === 1);
  await ws.drain(20);
  assert.is((await client.closed).code, 1006);
  service.release();
});

test.run();
