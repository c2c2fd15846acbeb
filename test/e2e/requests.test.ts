import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Engine, eventually, Lab } from './lab.ts';

const CARDS = fileURLToPath(new URL('cards.yaml', import.meta.url));

/** A Saturday evening in New York. */
const START = Date.parse('2024-03-10T03:30:00Z');

const STORED = ['payments_1h', 'amount_mean', 'shop_last'];
const OF_REQUEST = ['amount_ratio', 'hour', 'is_large', 'is_web', 'since_seen'];

interface Row {
  entity_id: string;
  features: Record<string, unknown>;
  as_of: string;
  request_time?: string;
  cached: boolean;
  revision: number;
  position: number;
}

interface Answer {
  view: string;
  version: string;
  service?: string;
  deprecated?: string;
  rows: Row[];
}

const test = suite('requests, services and deprecated versions');
const lab = new Lab();
let engine: Engine;

test.before(async () => {
  engine = await lab.engine('data', ['--workers', '2'], CARDS);
  const events = [
    { card: 'a', at: START, amount: 10, shop: 'web' },
    { card: 'a', at: START + 1000, amount: 30, shop: 'kiosk' },
    { card: 'b', at: START + 2000, amount: 5, shop: 'web' },
  ];
  assert.is((await engine.post('/events/payments', events)).status, 200);
});
test.after(() => lab.close());

async function ask(body: object): Promise<Answer> {
  const response = await engine.post('/features/batch', { view: 'spending', ...body });
  const answer = (await response.json()) as Answer & { detail?: string };
  assert.is(response.status, 200, answer.detail);
  return answer;
}

const micros = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

test('stored features come from the cache, those of the request from its inputs, in the order asked', async () => {
  const request = { amount: 50, shop: 'web', seen: START - 8000 };
  const features = [...OF_REQUEST, ...STORED];
  const first = await ask({ entity_ids: ['a', 'b', 'never'], features, request });
  assert.equal(Object.keys(first.rows[0]!.features), [...STORED, ...OF_REQUEST]);
  assert.equal(
    first.rows.map((row) => Object.values(row.features)),
    [
      [2, 20, 'kiosk', 2.5, 22, true, true, 10],
      [1, 5, 'web', 10, 22, true, true, 10],
      [0, null, null, null, 22, null, true, 10],
    ],
  );
  assert.is(first.rows[0]!.request_time, micros(START + 2000));
  const second = await ask({ entity_ids: ['a', 'b', 'never'], features, request: { amount: 10, shop: 'kiosk' } });
  assert.equal(
    second.rows.map((row) => Object.values(row.features)),
    [
      [2, 20, 'kiosk', 0.5, 22, false, false, null],
      [1, 5, 'web', 2, 22, false, false, null],
      [0, null, null, null, 22, null, false, null],
    ],
  );
  assert.equal(
    second.rows.map((row) => row.cached),
    [true, true, true],
  );
  const none = await ask({ entity_ids: ['a'], features });
  assert.equal(Object.values(none.rows[0]!.features), [2, 20, 'kiosk', null, 22, null, null, null]);
  assert.is(none.rows[0]!.revision, first.rows[0]!.revision);
});

test('one entity over HTTP and over a WebSocket, and a large answer, hold the same', async () => {
  const request = { amount: 50, shop: 'web', seen: START };
  const client = await lab.client(engine);
  const features = [...STORED, ...OF_REQUEST];
  const { rows } = await client.must({ type: 'get', view: 'spending', entity_ids: ['a'], features, request });
  const one = await engine.post('/features', { view: 'spending', entity_id: 'a', features, request });
  const many = await ask({ entity_ids: new Array(3000).fill('a'), features, request });
  assert.is(many.rows.length, 3000);
  const { view, version, ...row } = (await one.json()) as Answer & Row;
  assert.equal([view, version], ['spending', 'v2']);
  assert.equal(rows[0], row);
  for (const each of many.rows) assert.equal(each, row);
});

test('without request features a row says nothing of a request', async () => {
  const { rows } = await ask({ entity_ids: ['a'], features: STORED, request: { amount: 1 } });
  assert.not('request_time' in rows[0]!);
});

test('what needs the workers is computed there with the row, and enters no cache', async () => {
  const request = { amount: 40, shop: 'web' };
  const before = await ask({ entity_ids: ['a', 'b', 'never'], features: STORED });
  const log = await ask({
    entity_ids: ['a', 'b', 'never'],
    features: ['amount_log', 'is_web', 'amount_mean'],
    request,
  });
  assert.equal(
    log.rows.map((row) => Object.values(row.features)),
    [
      [20, Math.log(2), true],
      [5, Math.log(8), true],
      [null, null, true],
    ],
  );
  for (const row of log.rows) {
    assert.is(row.cached, false);
    assert.is(row.request_time, row.as_of);
  }
  const after = await ask({ entity_ids: ['a', 'b', 'never'], features: STORED });
  const revisions = (answer: Answer) => answer.rows.map((row) => row.revision);
  assert.equal(revisions(after), revisions(before));
  const all = await ask({ entity_ids: ['a'], request });
  assert.equal(Object.keys(all.rows[0]!.features), [...STORED, ...OF_REQUEST, 'amount_log']);
});

test('as_of is the time of the request, and gives the same bits again', async () => {
  const request = { amount: 40, shop: 'web', seen: START - 60_000 };
  const moment = { as_of: START + 1000, position: 3 };
  const features = ['hour', 'since_seen', 'amount_log', 'payments_1h', 'amount_ratio'];
  const [once, again] = [
    await ask({ entity_ids: ['a'], features, request, ...moment }),
    await ask({ entity_ids: ['a'], features, request, ...moment }),
  ];
  assert.is(once.rows[0]!.request_time, micros(START + 1000));
  assert.equal(once.rows[0]!.features, again.rows[0]!.features);
  assert.is(once.rows[0]!.features['since_seen'], 61);
  const earlier = await ask({ entity_ids: ['a'], features: ['since_seen', 'amount_mean'], request, position: 1 });
  assert.equal(Object.values(earlier.rows[0]!.features), [10, 60]);
});

for (const [what, body, status, code, words] of [
  ['an input that is not declared', { request: { amuont: 5 } }, 404, 'unknown_input', 'did you mean "amount"?'],
  ['a property that every object has', { request: { constructor: 5 } }, 404, 'unknown_input', 'constructor'],
  ['text for a number', { request: { amount: '5' } }, 422, 'invalid_input', 'request.amount is "5", expected a number'],
  ['a list for a text', { request: { shop: [] } }, 422, 'invalid_input', 'request.shop is an array, expected text'],
  ['a time that is none', { request: { seen: 'noon' } }, 422, 'invalid_input', 'request.seen: "noon" is no time'],
  ['inputs of a view that takes none', { view: 'habits', request: { a: 1 } }, 404, 'unknown_input', 'it takes none'],
  ['an unknown service', { view: undefined, service: 'fruad' }, 404, 'unknown_service', 'did you mean "fraud"?'],
  ['a service and a view', { service: 'fraud' }, 400, 'bad_request', 'leave these out'],
] as const) {
  test(`${what}: ${code}`, async () => {
    const response = await engine.post('/features', { view: 'spending', entity_id: 'a', ...body });
    const problem = (await response.json()) as { code: string; detail: string };
    assert.equal([response.status, problem.code], [status, code]);
    assert.ok(problem.detail.includes(words), problem.detail);
  });
}

test('a service gives its features under their names, of one moment, and is pushed', async () => {
  const { view, version, service, rows } = await ask({
    view: undefined,
    service: 'fraud',
    entity_ids: ['a', 'b'],
    request: { amount: 10 },
  });
  assert.equal([view, version, service], ['fraud', 'service', 'fraud']);
  assert.equal(
    rows.map((row) => row.features),
    [
      { amount_span: 20, usual: 20, amount_ratio: 0.5 },
      { amount_span: 0, usual: 5, amount_ratio: 2 },
    ],
  );
  const client = await lab.client(engine);
  const watched = await client.must({ type: 'subscribe', service: 'fraud', entity_ids: ['c'] });
  assert.equal(watched.rows[0].features, { amount_span: null, usual: null });
  const update = client.next(({ type }) => type === 'update');
  await engine.post('/events/payments', [{ card: 'c', at: START + 3000, amount: 7, shop: 'web' }]);
  assert.equal((await update).features, { amount_span: 0, usual: 7 });
});

test('a version left out is the last that is not deprecated; asking for a deprecated one is answered and logged', async () => {
  const v2 = await ask({ entity_ids: ['a'] });
  assert.equal([v2.version, v2.deprecated], ['v2', undefined]);
  const v1 = await engine.post('/features', { view: 'spending', version: 'v1', entity_id: 'a' });
  assert.is(v1.headers.get('deprecation'), `@${Date.parse('2020-01-01') / 1000}`);
  assert.is(((await v1.json()) as Answer).deprecated, '2020-01-01');
  await ask({ entity_ids: ['a'], version: 'v1' });
  const warnings = () => engine.err.split('\n').filter((line) => line.includes('a deprecated version is asked for'));
  await eventually('a warning in the log', async () => warnings().length > 0);
  assert.is(warnings().length, 1, 'said once, not at every request');
});

test('the command line takes a service and inputs', async () => {
  const { code, out, err } = await lab.run([
    ...['get', '--url', engine.url, 'a', '--service', 'fraud', '--request', 'amount=10'],
  ]);
  assert.equal([code, err], [0, '']);
  assert.match(out, /amount_ratio +0\.5/);
  assert.match(out, /request_time +2024/);
  const wrong = await lab.run(['get', '--url', engine.url, 'a', '--request', 'amount']);
  assert.is(wrong.code, 2);
  assert.match(wrong.err, /write name=value/);
});

test.run();
