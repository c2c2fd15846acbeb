import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client, Message } from './client.ts';
import { type Engine, Lab } from './lab.ts';
import { checkRow, type Known, known, ORACLE_FEATURES, type Reading, Readings, START_MS, seeded } from './meters.ts';

const test = suite('subscriptions');
const lab = new Lab();
/** Small, so that a reader that stands still is soon too slow. */
const WATERMARK = ['--send-watermark-bytes', '65536'];
const log: Known[] = [];
let engine: Engine;
let writer: Client;

test.before(async () => {
  engine = await lab.engine('data', ['--workers', '2', ...WATERMARK]);
  writer = await lab.client(engine);
});
test.after(() => lab.close());

async function ingest(events: Reading[]): Promise<number> {
  const { position } = await writer.must({ type: 'ingest', source: 'readings', events });
  log.push(...known(events, position));
  return position;
}

const isUpdate = (topic: number) => (message: Message) => message.type === 'update' && message.topic === topic;

/** Reads updates until each meter's newest is at its position; holds every one to the oracle and to rising revisions. */
async function follow(client: Client, topic: number, newest: Map<string, number>): Promise<Map<string, Message>> {
  const last = new Map<string, Message>();
  while ([...newest].some(([meter, position]) => (last.get(meter)?.position ?? 0) < position)) {
    const update = await client.next(isUpdate(topic));
    const before = last.get(update.entity_id);
    assert.ok(before === undefined || update.revision > before.revision, 'revisions rise');
    assert.ok(before === undefined || update.position >= before.position, 'positions do not fall');
    checkRow(log, update);
    last.set(update.entity_id, update);
  }
  return last;
}

test('a snapshot, then every change to all who watch, and nothing of the others', async () => {
  await ingest([{ meter: 'a', at: START_MS, value: 1 }]);
  const watchers = await Promise.all([lab.client(engine), lab.client(engine)]);
  const topics: number[] = [];
  for (const watcher of watchers) {
    const answer = await watcher.must({ type: 'subscribe', entity_ids: ['a', 'b'], features: ORACLE_FEATURES });
    assert.equal([answer.resumed, answer.rejected, answer.rows.length], [false, [], 2]);
    for (const row of answer.rows) checkRow(log, row);
    topics.push(answer.topic);
  }
  const newest = new Map<string, number>();
  for (let i = 1; i <= 50; i++) {
    const meter = ['a', 'b', 'c'][i % 3]!;
    const position = await ingest([{ meter, at: START_MS + i * 1000, value: i }]);
    if (meter !== 'c') newest.set(meter, position);
  }
  const seen = await Promise.all(watchers.map((watcher, i) => follow(watcher, topics[i]!, newest)));
  assert.equal(
    [...seen[0]!].sort(),
    [...seen[1]!].map(([meter, update]) => [meter, { ...update, topic: topics[0] }]).sort(),
  );
  await Promise.all(watchers.map((watcher) => watcher.close()));
});

test('unsubscribed means silence, of one entity and of all', async () => {
  const watcher = await lab.client(engine);
  const { topic } = await watcher.must({ type: 'subscribe', entity_ids: ['a', 'b'], snapshot: false });
  const round = async () => {
    await ingest([
      { meter: 'a', at: START_MS + 60_000, value: log.length },
      { meter: 'b', at: START_MS + 60_000, value: log.length },
    ]);
  };
  await watcher.must({ type: 'unsubscribe', topic, entity_ids: ['a'] });
  await round();
  assert.is((await watcher.next(isUpdate(topic))).entity_id, 'b');
  await watcher.must({ type: 'unsubscribe', topic });
  await round();
  // Both workers have answered for these events, so an update would be on its way before this answer.
  await watcher.must({ type: 'get', entity_ids: ['a', 'b'] });
  assert.equal(watcher.unasked, []);
  assert.is((await watcher.ask({ type: 'unsubscribe', topic })).code, 'unknown_topic');
  await watcher.close();
});

test('a client that comes back gets only what is newer than it has', async () => {
  const subscribe = { type: 'subscribe', entity_ids: ['a', 'b'], features: ORACLE_FEATURES };
  const first = await lab.client(engine);
  const { rows, epoch } = await first.must(subscribe);
  assert.is(epoch, (await first.opened).epoch);
  await first.close();
  const revisions = Object.fromEntries(rows.map(({ entity_id, revision }: Message) => [entity_id, revision]));
  await ingest([{ meter: 'a', at: START_MS + 61_000, value: 7 }]);

  const second = await lab.client(engine);
  const resumed = await second.must({ ...subscribe, resume: { epoch, revisions } });
  assert.is(resumed.resumed, true);
  assert.equal(
    resumed.rows.map(({ entity_id }: Message) => entity_id),
    ['a'],
  );
  checkRow(log, resumed.rows[0]);
  await second.close();

  const third = await lab.client(engine);
  const whole = await third.must({ ...subscribe, resume: { epoch: 'another', revisions } });
  assert.equal([whole.resumed, whole.rows.length], [false, 2]);
  await third.close();
});

test('a window that runs empty by the clock alone is pushed', async () => {
  const watcher = await lab.client(engine);
  const { topic } = await watcher.must({ type: 'subscribe', entity_ids: ['a'], features: ORACLE_FEATURES });
  await ingest([{ meter: 'c', at: START_MS + 3 * 3_600_000, value: 1 }]);
  const update = await watcher.next(isUpdate(topic));
  assert.equal([update.entity_id, update.features.readings_1h], ['a', 0]);
  checkRow(log, update);
  await watcher.close();
});

test('a reader that stands still is told that it lagged, then has the newest of each', async () => {
  const meters = Array.from({ length: 100 }, (_, i) => `slow${i}`);
  const slow = await lab.client(engine);
  const { topic } = await slow.must({ type: 'subscribe', entity_ids: meters, version: 'v2', snapshot: false });
  slow.ws.pause();
  const labels = ['x', 'y'].map((letter) => letter.repeat(400));
  const rounds = 250;
  let position = 0;
  for (let round = 0; round < rounds; round++) {
    const at = START_MS + 4 * 3_600_000 + round;
    const events = meters.map((meter) => ({ meter, at, value: round, label: labels[round % 2]! }));
    position = await ingest(events);
  }
  slow.ws.resume();
  const newest = new Map<string, Message>();
  let updates = 0;
  while (meters.some((meter) => (newest.get(meter)?.position ?? 0) <= position - meters.length)) {
    const update = await slow.next(isUpdate(topic));
    newest.set(update.entity_id, update);
    updates++;
  }
  const lagged = slow.unasked.filter(({ type }) => type === 'lagged');
  assert.ok(lagged.length > 0, `${updates} updates of ${rounds * meters.length} came, and nothing of a lag`);
  const skipped = lagged.reduce((sum, message) => sum + message.skipped, 0);
  assert.ok(updates < rounds * meters.length, `${updates} updates and ${skipped} skipped`);
  for (const [meter, { features, as_of, position: at }] of newest) {
    assert.is(features.last, rounds - 1);
    const { label_last: _, ...rest } = features;
    checkRow(log, { entity_id: meter, features: rest, as_of, position: at });
  }
  await slow.close();
});

test('a subscription that runs beside many writers misses nothing', async () => {
  const readings = new Readings(seeded(21), 8);
  const offset = 5 * 3_600_000;
  const watcher = await lab.client(engine);
  const meters = Array.from({ length: 8 }, (_, i) => `m${i}`);
  const newest = new Map<string, number>();
  const rows: Message[] = [];
  let topic = 0;
  const write = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const events = readings.batch(4).map((event) => ({ ...event, at: event.at + offset }));
      const position = await ingest(events);
      for (const { meter, position: at } of known(events, position))
        newest.set(meter, Math.max(at, newest.get(meter) ?? 0));
    }
  };
  const subscribe = async () => {
    await write(5);
    const answer = await watcher.must({ type: 'subscribe', entity_ids: meters, features: ORACLE_FEATURES });
    rows.push(...answer.rows);
    topic = answer.topic;
  };
  await Promise.all([write(30), write(30), subscribe()]);
  const last = new Map<string, Message>(rows.map((row) => [row.entity_id, row]));
  while ([...newest].some(([meter, position]) => last.get(meter)!.position < position)) {
    const update = await watcher.next(isUpdate(topic));
    assert.ok(update.revision > last.get(update.entity_id)!.revision, 'newer than the snapshot and all before');
    rows.push(update);
    last.set(update.entity_id, update);
  }
  for (const row of rows) checkRow(log, row);
  await watcher.close();
});

test.run();
