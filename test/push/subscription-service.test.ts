import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { subscriptionService } from '../../src/push/subscription-service.ts';
import { Replies } from '../../src/serve/replies.ts';
import type { ReplyCollector } from '../../src/serve/text-collector.ts';
import type { Subscribed, SubscribeRequest } from '../../src/wire/service.ts';
import { KeptSink, World } from '../serve/world.ts';

const test = suite('push/subscription-service');

interface Told {
  error: HeadraceError | null;
  value: Subscribed | null;
  rows: Record<string, unknown>[];
}

/** @param bytes where given, stands for the thread that makes every reply's text */
function setup({ topicsMax = 2, subscriptionsMax = 5, bytes = null as null | (() => Promise<Buffer>) } = {}) {
  const world = new World();
  const inThread = (): ReplyCollector => ({
    failure: null,
    state: 'computed',
    row: () => undefined,
    failed: () => undefined,
    rows: bytes!,
  });
  const pool = { run: () => Promise.reject(new Error('unused')) };
  const small = new Replies({ pool, writers: world.writers, kept: () => null, largeReplyBytes: 1e9 });
  const gone: KeptSink[] = [];
  const subscriptions = subscriptionService({
    push: world.push,
    get: (query, collector, done) => world.serve.get(query, collector, done),
    replies: bytes === null ? small : ({ collector: inThread } as unknown as Replies),
    epoch: 'e1',
    config: { topics_max: topicsMax, subscriptions_max: subscriptionsMax },
    idProblem: (id) => (id === '' ? 'an entity id is never empty' : null),
    alsoClosed: (sink) => gone.push(sink as KeptSink),
  });
  const told: Told[] = [];
  const subscribe = (
    sink: KeptSink,
    ids: string[],
    over: Partial<SubscribeRequest> = {},
    select: number[] | null = null,
  ) =>
    subscriptions.subscribe(
      sink,
      { query: world.query(ids, { select }), snapshot: true, resume: null, ...over },
      (error, value) => told.push({ error, value, rows: value === null ? [] : JSON.parse(String(value.rows)) }),
    );
  return { world, subscriptions, told, subscribe, gone };
}

const codeOf = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof HeadraceError) return error.code;
  }
  return 'nothing thrown';
};

test('registered, then answered with the present rows, then updated', () => {
  const { world, told, subscribe } = setup();
  const sink = new KeptSink();
  subscribe(sink, ['ORD', '', 'ATL', 'ORD']);
  world.commit('ORD');
  assert.is(told.length, 0);
  world.settle();
  const { value, rows } = told[0]!;
  assert.equal(
    rows.map((row) => row['entity_id']),
    ['ORD', 'ATL', 'ORD'],
  );
  assert.equal(value!.rejected, [{ entity_id: '', code: 'invalid_entity_id', message: 'an entity id is never empty' }]);
  assert.equal([value!.epoch, value!.resumed], ['e1', false]);
  assert.equal(sink.take(), [], 'the snapshot holds that event');
  world.commit('ORD');
  world.settle();
  const [update] = sink.take();
  assert.equal([update!['topic'], update!['entity_id']], [value!.topic, 'ORD']);
});

test('who comes back under the same epoch gets only what is newer, and every later update', () => {
  const { world, told, subscribe } = setup();
  world.get(['ORD', 'ATL', 'LAX']);
  world.settle();
  const revisions = Object.fromEntries(['ORD', 'ATL'].map((id) => [id, world.get([id]).rows[0]!.revision!]));
  world.commit('ORD');
  const sink = new KeptSink();
  subscribe(sink, ['ORD', 'ATL', 'LAX'], { resume: { epoch: 'e1', revisions } });
  world.settle();
  assert.is(told[0]!.value!.resumed, true);
  assert.equal(
    told[0]!.rows.map((row) => row['entity_id']),
    ['ORD', 'LAX'],
  );
  world.commit('ATL');
  world.settle();
  assert.is(sink.take().length, 1);
  subscribe(new KeptSink(), ['ORD', 'ATL'], { resume: { epoch: 'another', revisions } });
  assert.is(told[1]!.value!.resumed, false);
  assert.is(told[1]!.rows.length, 2);
});

test('who is told an error in place of a row gets the row as soon as there is one, had it before or not', () => {
  const { world, told, subscribe } = setup();
  subscribe(new KeptSink(), ['ORD']);
  world.settle();
  const { revision } = told[0]!.rows[0] as { revision: number };
  const sink = new KeptSink();
  for (const resume of [{ epoch: 'e1', revisions: { ORD: revision } }, null]) {
    world.cache.shrink(10);
    subscribe(sink, ['ORD'], { resume }, [0]);
    world.serve.failed(world.queue.splice(0), { code: 'overloaded', message: 'too much', temporary: true });
    assert.ok(told.at(-1)!.rows[0]!['error']);
    world.settle();
    assert.is(sink.take().length, 1);
  }
});

test('without a snapshot the answer is at once and empty', () => {
  const { world, told, subscribe } = setup();
  const sink = new KeptSink();
  subscribe(sink, ['ORD'], { snapshot: false });
  assert.equal(told[0]!.rows, []);
  world.settle();
  assert.is(sink.take().length, 1);
});

test('topics and entities are limited a connection, and a refusal leaves nothing', () => {
  const { world, subscribe, told } = setup();
  const sink = new KeptSink();
  subscribe(sink, ['A', 'B']);
  subscribe(sink, ['A'], {}, [0]);
  assert.is(
    codeOf(() => subscribe(sink, ['A'], {}, [1])),
    'too_many',
  );
  assert.is(
    codeOf(() => subscribe(sink, ['C', 'D', 'E'])),
    'too_many',
  );
  subscribe(sink, ['C', 'D']);
  world.settle();
  assert.is(told.length, 3);
  assert.equal(world.push.held(sink), { topics: 2, entities: 5 });
  // What it has already adds nothing, however often it is named.
  subscribe(sink, ['A', 'B', 'C', 'D', 'D']);
  world.settle();
  assert.is(told.length, 4);
});

test('a reply that cannot be made takes back what it registered, and nothing else', async () => {
  const replies = [() => Promise.resolve(Buffer.from('[]')), () => Promise.reject(new Error('gone'))];
  const { world, told, subscribe } = setup({ bytes: () => replies.shift()!() });
  const sink = new KeptSink();
  for (const ids of [['ORD'], ['ORD', 'ATL']]) {
    subscribe(sink, ids);
    world.settle();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(
    told.map(({ error }) => error?.code),
    [undefined, 'internal'],
  );
  assert.equal(world.push.held(sink), { topics: 1, entities: 1 });
});

test('an entity called like a property of every object is resumed like any other', () => {
  const { world, told, subscribe } = setup();
  subscribe(new KeptSink(), ['constructor', '__proto__'], { resume: { epoch: 'e1', revisions: {} } });
  world.settle();
  assert.is(told[0]!.rows.length, 2);
});

test('a reply made in a thread holds updates back until it is sent', async () => {
  let finish: (bytes: Buffer) => void = () => undefined;
  const thread = () =>
    new Promise<Buffer>((resolve) => {
      finish = resolve;
    });
  const { world, told, subscribe } = setup({ bytes: thread });
  const sink = new KeptSink();
  subscribe(sink, ['ORD']);
  world.settle();
  world.commit('ORD');
  world.settle();
  assert.equal([told.length, sink.queued.length, sink.written.length], [0, 0, 0]);
  finish(Buffer.from('[]'));
  await Promise.resolve();
  await Promise.resolve();
  assert.is(told.length, 1);
  assert.is(sink.take().length, 1);
});

test('an unknown topic is told', () => {
  const { world, subscriptions, subscribe, told } = setup();
  const sink = new KeptSink();
  assert.is(
    codeOf(() => subscriptions.unsubscribe(sink, 1, null)),
    'unknown_topic',
  );
  subscribe(sink, ['ORD']);
  world.settle();
  subscriptions.unsubscribe(sink, told[0]!.value!.topic, null);
  assert.is(world.push.sizes.topics, 0);
});

test('a connection that closes before its snapshot leaves nothing behind', () => {
  const { world, subscriptions, subscribe, gone } = setup();
  const sink = new KeptSink();
  subscribe(sink, ['ORD']);
  subscriptions.closed(sink);
  assert.equal(gone.length, 1);
  world.settle();
  assert.equal(world.push.sizes, { topics: 0, watched: 0, subscribers: 0 });
});

test('where the view ends while the snapshot is read, the answer says why and nothing is left', () => {
  const { world, told, subscribe } = setup();
  const sink = new KeptSink();
  subscribe(sink, ['ORD', 'ATL']);
  world.push.end(world.view, new HeadraceError('version_removed', 'it was removed'));
  world.settle();
  assert.equal(
    told.map(({ error, value }) => [error?.code, value]),
    [['version_removed', null]],
  );
  assert.equal(sink.take(), []);
  assert.equal(world.push.sizes, { topics: 0, watched: 0, subscribers: 0 });
});

test.run();
