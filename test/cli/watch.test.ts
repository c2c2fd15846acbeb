import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Engine, Lab } from '../e2e/lab.ts';
import { START_MS } from '../e2e/meters.ts';

const CARDS = fileURLToPath(new URL('../e2e/cards.yaml', import.meta.url));

const test = suite('cli/watch');
const lab = new Lab();
let engine: Engine;
let written = 0;

test.before(async () => {
  engine = await lab.engine('data', ['--workers', '1']);
});
test.after(() => lab.close());

async function write(value: number): Promise<void> {
  const event = { meter: 'a', at: START_MS + ++written * 1000, value };
  assert.is((await engine.post('/events/readings', event)).status, 200);
}

const watch = (...args: string[]) => lab.start(['watch', '--url', engine.wsUrl, ...args]);

test('a line for the present and each update, and an end with status 0 on Ctrl-C', async () => {
  await write(1);
  const watching = watch('a', 'b', '--features', 'readings_1h,last');
  await watching.wrote(/^2024-03-01T00:00:01\.000000Z b #1 readings_1h=0 last=–$/m);
  assert.match(watching.out, /^2024-03-01T00:00:01\.000000Z a #1 readings_1h=1 last=1$/m);
  await write(2.5);
  await watching.wrote(/^2024-03-01T00:00:02\.000000Z a #2 readings_1h=2 last=2\.5$/m);
  assert.equal(await watching.end('SIGINT'), { code: 0, signal: null });
  assert.is(watching.err, '');
  assert.is(watching.out.trimEnd().split('\n').length, 3);
});

test('--json: whole rows, a line each', async () => {
  const watching = watch('a', '--json', '--version', 'v1');
  await watching.wrote('\n');
  await write(3);
  await watching.wrote(/\n.*\n/);
  const [present, update] = watching.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal([present.entity_id, present.features.last], ['a', 2.5]);
  assert.equal([update.entity_id, update.features.last, update.position], ['a', 3, 3]);
  assert.ok(update.revision > present.revision);
  await watching.end('SIGTERM');
});

test('what the engine refuses ends it with status 1', async () => {
  const [view, id, none, gone] = await Promise.all([
    lab.run(['watch', 'a', '--url', engine.wsUrl, '--view', 'nope']),
    (async () => {
      const watching = watch('a', '\u0001', '--features', 'last');
      await watching.wrote('last=3');
      await watching.end('SIGINT');
      return watching;
    })(),
    lab.run(['watch', '\u0001', '\u0002', '--url', engine.wsUrl]),
    lab.run(['watch', 'a', '--url', `ws://127.0.0.1:${await lab.freePort()}/ws`]),
  ]);
  assert.equal([view.code, view.out], [1, '']);
  assert.match(view.err, /^headrace watch: .*nope.* \[unknown_view\]\n$/);
  assert.match(id.err, /\[invalid_entity_id\]\n$/);
  assert.equal([none.code, none.out], [1, '']);
  assert.match(none.err, /^headrace watch: .*\[invalid_entity_id\]\n.*\[invalid_entity_id\]\n$/);
  assert.is(gone.code, 1);
  assert.match(gone.err, /^headrace watch: No connection to ws:\S+ \(.*ECONNREFUSED.*\)\. Is the engine running\?\n$/);
});

test('--service: the features of a service, but for those of requests', async () => {
  const cards = await lab.engine('cards', ['--workers', '1'], CARDS);
  const pay = (at: number, amount: number) => cards.post('/events/payments', { card: 'c', at, amount });
  assert.is((await pay(START_MS, 2)).status, 200);
  const watching = lab.start(['watch', 'c', '--service', 'fraud', '--url', cards.wsUrl]);
  await watching.wrote(/ c #1 amount_span=0 usual=2$/m);
  assert.is((await pay(START_MS + 1000, 4)).status, 200);
  await watching.wrote(/ c #2 amount_span=2 usual=3$/m);
  assert.equal(await watching.end('SIGINT'), { code: 0, signal: null });
  assert.is(watching.err, '');

  const old = lab.start(['watch', 'c', '--view', 'spending', '--version', 'v1', '--url', cards.wsUrl]);
  await old.wrote(/payments_1h=2$/m);
  await old.end('SIGINT');
  assert.is(old.err, 'spending@v1 is deprecated from 2020-01-01; ask for another version\n');
  const got = await lab.run(['get', 'c', '--view', 'spending', '--version', 'v1', '--url', cards.url]);
  assert.equal([got.code, got.err], [0, `headrace get: ${old.err}`]);
});

test('the address of the engine will do', async () => {
  const watching = lab.start(['watch', 'a', '--features', 'last', '--url', engine.url]);
  await watching.wrote('last=3');
  assert.is((await watching.end('SIGINT')).code, 0);
  assert.is(watching.err, '');
});

test('what is temporary is tried again, after as long as the engine says', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const say = (socket: WebSocket, message: object): void => socket.send(JSON.stringify(message));
  const error = { type: 'error', code: 'unavailable', message: 'Not now.', temporary: true };
  const row = { entity_id: 'a', features: { last: 7 }, as_of: '2024-03-01T00:00:00Z', position: 1, revision: 1 };
  const turns = [
    (socket: WebSocket) => say(socket, { ...error, id: 1, retry_after_ms: 11 }),
    (socket: WebSocket) => {
      say(socket, { type: 'goodbye', code: 4503, reconnect: true, after_ms: 12 });
      socket.close(4503);
    },
    (socket: WebSocket) => say(socket, { type: 'subscribed', id: 1, rows: [row], rejected: [] }),
  ];
  server.on('connection', (socket) => socket.once('message', () => turns.shift()!(socket)));
  const { port } = server.address() as AddressInfo;
  const watching = lab.start(['watch', 'a', '--url', `ws://127.0.0.1:${port}`]);
  await watching.wrote('last=7');
  assert.is(
    watching.err,
    'headrace watch: Not now. [unavailable] Trying again in 11 ms.\n' +
      'headrace watch: The engine closed the connection (4503). Trying again in 12 ms.\n',
  );
  assert.is((await watching.end('SIGINT')).code, 0);
  server.close();
});

test('it finds the engine again after a restart and shows what is new', async () => {
  const watching = watch('a', '--features', 'last');
  await watching.wrote('last=3\n');
  const { port } = new URL(engine.url);
  assert.is((await engine.end('SIGTERM')).code, 0);
  engine = await lab.engine('data', ['--workers', '1', '--port', port]);
  await write(4);
  await watching.wrote('last=4\n');
  assert.match(watching.err, /The engine closed the connection \(4503\)\. Trying again in \d+ ms\./);
  assert.is((await watching.end('SIGINT')).code, 0);
});

test.run();
