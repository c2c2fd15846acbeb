import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { Subscriptions } from '../../src/push/subscriptions.ts';
import { TextCollector } from '../../src/serve/text-collector.ts';
import type { Subscribed, SubscribeRequest } from '../../src/wire/service.ts';
import { KeptSink, World } from '../serve/world.ts';

const test = suite('push/subscriptions');

interface Told {
  error: HeadraceError | null;
  value: Subscribed | null;
  rows: Record<string, unknown>[];
}

function setup({ topicsMax = 2, subscriptionsMax = 5, thread = null as null | (() => Promise<Buffer>) } = {}) {
  const world = new World();
  const subscriptions = new Subscriptions({
    push: world.push,
    epoch: 'e1',
    topicsMax,
    subscriptionsMax,
    idProblem: (id) => (id === '' ? 'an entity id is never empty' : null),
    get: (query, collector, done) => world.serve.get(query, collector, done),
    collector: ({ view, select, entityIds }) => {
      const text = new TextCollector(entityIds, world.writers.of(view, select), null);
      return thread === null ? text : Object.assign(text, { rows: thread });
    },
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
  return { world, subscriptions, told, subscribe };
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
  assert.equal(
    value!.rejected.map(({ entity_id, code }) => [entity_id, code]),
    [['', 'invalid_entity_id']],
  );
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
});

test('a reply that cannot be made takes back what it registered, and nothing else', async () => {
  const first = setup();
  const sink = new KeptSink();
  const broken = new Subscriptions({
    push: first.world.push,
    epoch: 'e1',
    topicsMax: 9,
    subscriptionsMax: 9,
    idProblem: () => null,
    get: (query, collector, done) => first.world.serve.get(query, collector, done),
    collector: () => ({ row: () => undefined, failed: () => undefined, rows: () => Promise.reject(new Error('gone')) }),
  });
  first.subscribe(sink, ['ORD']);
  first.world.settle();
  let failed: HeadraceError | null = null;
  const request = { query: first.world.query(['ORD', 'ATL']), snapshot: true, resume: null };
  broken.subscribe(sink, request, (error) => {
    failed = error;
  });
  first.world.settle();
  await new Promise((resolve) => setImmediate(resolve));
  assert.is((failed as HeadraceError | null)?.code, 'internal');
  assert.equal(first.world.push.held(sink), { topics: 1, entities: 1 });
});

test('a reply made in a thread holds updates back until it is sent', async () => {
  let finish: (bytes: Buffer) => void = () => undefined;
  const thread = () =>
    new Promise<Buffer>((resolve) => {
      finish = resolve;
    });
  const { world, told, subscribe } = setup({ thread });
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
  const { world, subscribe } = setup();
  const sink = new KeptSink();
  subscribe(sink, ['ORD']);
  world.push.closed(sink);
  world.settle();
  assert.equal(world.push.sizes, { topics: 0, watched: 0, subscribers: 0 });
});

test.run();
