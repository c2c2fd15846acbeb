import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { KeptSink, makeView, parseFrame, SECOND, World } from '../serve/world.ts';

const test = suite('push/push');

/** A connection that has the present row of each entity and watches on. */
function watching(world: World, ids: string[], select: number[] | null = null): { sink: KeptSink; topic: number } {
  const sink = new KeptSink();
  const { topic } = world.push.subscribe(sink, world.view, select, ids, true);
  const answers = world.get(ids);
  world.settle();
  for (const [i, id] of ids.entries()) world.push.snapshotSent(sink, topic, id, answers.rows[i]!.revision!);
  world.push.flush();
  assert.equal(sink.take(), []);
  return { sink, topic };
}

test('one change is one frame, the same Buffer for all who watch', () => {
  const world = new World();
  const sinks = [watching(world, ['ORD']), watching(world, ['ORD', 'ATL']), watching(world, ['ORD'])];
  assert.is(new Set(sinks.map(({ topic }) => topic)).size, 1);
  world.commit('ORD');
  assert.equal(
    world.queue.map((job) => job.entityId),
    ['ORD'],
    'computed by itself, for it is watched',
  );
  world.settle();
  const frames = sinks.map(({ sink }) => sink.written[0] as Buffer);
  assert.ok(Buffer.isBuffer(frames[0]));
  for (const frame of frames) assert.is(frame, frames[0]);
  const { features, ...rest } = parseFrame(frames[0]!);
  assert.equal(features, { events: 1, f1: 0.5 });
  assert.equal(Object.keys(rest), [
    'type',
    'topic',
    'entity_id',
    'revision',
    'as_of',
    'position',
    'event_time',
    'computed_at',
    'valid_until',
  ]);
  for (const { sink } of sinks) assert.equal([sink.written.length, sink.flushes], [1, 1]);
});

test('a topic hears only where the bits of its own features change', () => {
  const world = new World();
  const all = watching(world, ['ORD']);
  const second = watching(world, ['ORD'], [1]);
  assert.is.not(all.topic, second.topic);
  world.commit('ORD');
  world.settle();
  assert.is(all.sink.take().length, 1);
  assert.is(second.sink.take().length, 0);
  world.extra.set('ORD', Number.NaN);
  world.commit('ORD');
  world.settle();
  assert.equal(second.sink.take()[0]!['features'], { f1: null });
  assert.is(all.sink.take().length, 1);
  world.commit('ORD');
  world.settle();
  assert.is(second.sink.take().length, 0, 'null stays null');
});

test('a computation that changes nothing is not sent', () => {
  const world = new World();
  const { sink } = watching(world, ['ORD']);
  world.clock.advance(5000 * SECOND);
  world.get(['ORD']);
  world.settle();
  assert.is(sink.take().length, 0);
});

test('updates wait for the snapshot, and only newer ones follow it', () => {
  const world = new World();
  world.get(['ORD']);
  world.settle();
  const sink = new KeptSink();
  const { topic, added } = world.push.subscribe(sink, world.view, null, ['ORD', 'ORD'], true);
  assert.equal(added, ['ORD']);
  const snapshot = world.get(['ORD']).rows[0]!;
  world.commit('ORD');
  world.settle();
  assert.is(sink.queued.length + sink.written.length, 0);
  world.push.snapshotSent(sink, topic, 'ORD', snapshot.revision!);
  world.push.flush();
  const updates = sink.take();
  assert.is(updates.length, 1);
  assert.ok((updates[0]!['revision'] as number) > snapshot.revision!);

  const late = new KeptSink();
  world.push.subscribe(late, world.view, null, ['ORD'], true);
  world.commit('ORD');
  world.settle();
  const newest = world.get(['ORD']).rows[0]!;
  world.push.snapshotSent(late, topic, 'ORD', newest.revision!);
  world.push.flush();
  assert.is(late.take().length, 0, 'the snapshot had it already');
  world.commit('ORD');
  world.settle();
  assert.is(late.take().length, 1);
});

test('the first change after a snapshot from the cache is held against that snapshot', () => {
  const world = new World();
  world.get(['ORD']);
  world.settle();
  const { sink } = watching(world, ['ORD'], [1]);
  world.commit('ORD');
  world.settle();
  assert.is(sink.take().length, 0);
});

test('without a snapshot the connection hears of the first change', () => {
  const world = new World();
  world.get(['ORD']);
  world.settle();
  const sink = new KeptSink();
  world.push.subscribe(sink, world.view, null, ['ORD', 'ATL'], false);
  world.push.flush();
  world.settle();
  assert.equal(
    sink.take().map((update) => update['entity_id']),
    ['ATL'],
    'nothing was known of it',
  );
  world.commit('ORD');
  world.settle();
  assert.equal(
    sink.take().map((update) => update['entity_id']),
    ['ORD'],
  );
});

test('a snapshot that failed is made good by the first row', () => {
  const world = new World();
  const sink = new KeptSink();
  const { topic } = world.push.subscribe(sink, world.view, null, ['ORD'], true);
  world.push.snapshotSent(sink, topic, 'ORD', -1);
  world.push.flush();
  assert.is(world.queue.length, 1);
  world.settle();
  assert.is(sink.take().length, 1);
});

test('a congested connection gets the newest of each when it has room, and is told what was skipped', () => {
  const world = new World();
  const { sink, topic } = watching(world, ['ORD', 'ATL', 'LAX']);
  const quick = watching(world, ['ORD', 'ATL', 'LAX']);
  sink.congested = true;
  for (const id of ['ORD', 'ORD', 'ATL', 'ORD']) {
    world.commit(id);
    world.settle();
  }
  assert.is(sink.queued.length + sink.written.length, 0);
  assert.is(quick.sink.take().length, 4);
  sink.congested = false;
  world.push.drained(sink);
  const [lagged, ...updates] = sink.take();
  assert.equal(lagged, { type: 'lagged', topic, skipped: 2 });
  assert.equal(
    updates.map((update) => [update['entity_id'], (update['features'] as { events: number }).events]),
    [
      ['ORD', 3],
      ['ATL', 1],
    ],
  );
  world.push.drained(sink);
  world.commit('ATL');
  world.settle();
  assert.is(sink.take().length, 1);
});

test('a connection that fills up again while it catches up keeps the rest', () => {
  const world = new World();
  const { sink } = watching(world, ['A', 'B', 'C']);
  sink.congested = true;
  world.commit('A', 'B', 'C');
  world.settle();
  let room = 1;
  Object.defineProperty(sink, 'congested', { get: () => room-- <= 0 });
  world.push.drained(sink);
  assert.is(sink.take().length, 1, 'nothing was skipped, so nothing lagged');
  room = 10;
  world.push.drained(sink);
  assert.is(sink.take().length, 2);
});

test('a slow connection that asks for a snapshot anew is not sent what that has overtaken', () => {
  const world = new World();
  const { sink, topic } = watching(world, ['ORD', 'ATL']);
  sink.congested = true;
  world.commit('ORD', 'ATL');
  world.settle();
  const again = world.push.subscribe(sink, world.view, null, ['ORD'], true);
  assert.equal(again, { topic, added: [] });
  world.push.snapshotSent(sink, topic, 'ORD', world.get(['ORD']).rows[0]!.revision!);
  sink.congested = false;
  world.push.drained(sink);
  assert.equal(
    sink.take().map((update) => update['entity_id']),
    ['ATL'],
  );
});

test('what changed while a snapshot was read anew is said again after it', () => {
  const world = new World();
  const { sink, topic } = watching(world, ['ORD']);
  const before = world.get(['ORD']).rows[0]!.revision!;
  world.push.subscribe(sink, world.view, null, ['ORD'], true);
  world.commit('ORD');
  world.settle();
  world.push.snapshotSent(sink, topic, 'ORD', before);
  world.push.flush();
  const [update, again, ...more] = sink.take();
  assert.equal(again, update);
  assert.is(more.length, 0);
});

test('who leaves hears no more, and the last one leaves nothing behind', () => {
  const world = new World();
  const one = watching(world, ['ORD', 'ATL']);
  const two = watching(world, ['ORD']);
  assert.is(world.push.unsubscribe(one.sink, one.topic, ['ORD', 'never']), true);
  world.commit('ORD', 'ATL');
  world.settle();
  assert.equal(
    one.sink.take().map((update) => update['entity_id']),
    ['ATL'],
  );
  assert.is(two.sink.take().length, 1);
  assert.is(world.push.unsubscribe(one.sink, one.topic, null), true);
  assert.is(world.push.unsubscribe(one.sink, one.topic, null), false);
  two.sink.congested = true;
  world.commit('ORD');
  world.settle();
  world.push.closed(two.sink);
  assert.equal(world.push.sizes, { topics: 0, watched: 0, subscribers: 0 });
  world.commit('ORD', 'ATL');
  assert.is(world.queue.length, 0);
  world.push.closed(two.sink);
});

test('a subscription without entities leaves nothing behind', () => {
  const world = new World();
  world.push.subscribe(new KeptSink(), world.view, null, [], true);
  assert.equal(world.push.sizes, { topics: 0, watched: 0, subscribers: 0 });
});

test('an entity watched before it has any event is found when its first one comes', () => {
  const world = new World();
  const { sink } = watching(world, ['NEW']);
  world.commit('NEW');
  assert.is(world.queue.length, 1);
  world.settle();
  assert.equal(sink.take()[0]!['features'], { events: 1, f1: 0.5 });
});

test('commits of another source or entity compute nothing', () => {
  const world = new World();
  world.commit('ORD');
  watching(world, ['ORD']);
  const codes = Int32Array.of(0);
  const batch = (source: string, entity: string) => [{ source, touched: [{ entity, codes }] }] as never;
  assert.is(world.push.jobs(batch('weather', 'airport')).length, 0);
  assert.is(world.push.jobs(batch('departures', 'route')).length, 0);
  assert.is(world.push.jobs(batch('departures', 'airport')).length, 1);
});

test('one job a watched entity is under way; what comes meanwhile is computed after it', () => {
  const world = new World();
  const { sink } = watching(world, ['ORD']);
  world.commit('ORD');
  const frame = world.send();
  world.commit('ORD');
  world.commit('ORD');
  assert.is(world.queue.length, 0);
  world.land(frame);
  assert.is(world.queue.length, 1);
  world.settle();
  assert.equal(
    sink.take().map((update) => (update['features'] as { events: number }).events),
    [1, 3],
  );
  assert.is(world.queue.length, 0);
});

test('a watched entity is computed at its valid_until, by commits or when the turn ends', () => {
  const world = new World();
  world.validUntil = 1100 * SECOND;
  const { sink } = watching(world, ['ORD']);
  world.clock.advance(1099 * SECOND);
  world.push.flush();
  assert.is(world.queue.length, 0);
  world.clock.advance(1100 * SECOND);
  world.commit('ATL');
  assert.equal(
    world.queue.map((job) => job.entityId),
    ['ORD'],
  );
  world.extra.set('ORD', 7);
  // The row is valid no longer when it comes: the clock has gone on.
  world.validUntil = 1200 * SECOND;
  const frame = world.send();
  world.clock.advance(1300 * SECOND);
  world.land(frame);
  assert.is(world.queue.length, 1);
  world.validUntil = Number.NaN;
  world.settle();
  assert.is(sink.take().length, 1);
  world.clock.advance(9000 * SECOND);
  world.push.flush();
  assert.is(world.queue.length, 0);
});

test('a job that fails is tried again after a while, unless nobody watches any more', () => {
  const world = new World();
  const { sink, topic } = watching(world, ['ORD', 'ATL']);
  world.commit('ORD', 'ATL');
  world.push.failed(world.send().jobs, { code: 'unavailable', message: 'no worker', temporary: true });
  world.push.unsubscribe(sink, topic, ['ATL']);
  assert.is(world.queue.length, 0);
  world.timers.advance(1000);
  assert.equal(
    world.queue.map((job) => job.entityId),
    ['ORD'],
  );
  world.settle();
  assert.is(sink.take().length, 1);
  world.push.close();
  assert.is(world.timers.pending, 0);
});

test('thousands of connections are written to in slices', () => {
  const world = new World();
  const sinks = Array.from({ length: 450 }, () => watching(world, ['ORD']).sink);
  world.commit('ORD');
  world.settle();
  const written = () => sinks.filter((sink) => sink.written.length > 0).length;
  assert.is(written(), 200);
  world.push.closed(sinks[449]!);
  world.push.flush();
  assert.is(written(), 200, 'the next slice comes by itself');
  world.deferred.shift()!();
  assert.is(written(), 400);
  world.deferred.shift()!();
  assert.is(written(), 449);
  assert.is(world.deferred.length, 0);
});

test('an update is never older than the one before it', () => {
  const world = new World({ view: makeView(), entriesMax: 1 });
  const { sink } = watching(world, ['ORD']);
  world.commit('ORD');
  const first = world.send();
  world.commit('ORD');
  world.get(['ORD']);
  const second = world.send();
  world.land(second);
  world.get(['ATL']);
  world.settle();
  assert.is(world.cache.peek(world.view, 'ORD'), undefined);
  world.land(first);
  const events = sink.take().map((update) => (update['features'] as { events: number }).events);
  assert.equal(events, [2]);
});

test('a view that is served no more ends its topics, after what was sent and before nothing else', () => {
  const world = new World();
  const other = makeView({ version: 'v2' });
  const { sink, topic } = watching(world, ['ORD', 'ATL']);
  const { topic: own } = watching(world, ['ORD'], [1]);
  const kept = world.push.subscribe(sink, other, null, ['ORD'], false).topic;
  world.settle();
  sink.take();
  world.commit('ORD');
  const why = new HeadraceError('version_removed', 'it was removed');
  world.push.end(world.view, why);
  assert.equal(sink.take(), [{ type: 'end', topic, code: 'version_removed', message: 'it was removed' }]);
  assert.equal(world.push.sizes, { topics: 1, watched: 1, subscribers: 1 });
  assert.equal(world.push.held(sink), { topics: 1, entities: 1 });
  world.settle();
  assert.equal(
    sink.take().map((update) => update['topic']),
    [kept],
    'what was under way for it comes to nothing',
  );
  assert.is(world.push.unsubscribe(sink, own, null), false);
  assert.equal([world.push.endOf(world.view), world.push.endOf(other)], [why, null]);
});

test('who waits for the snapshot of a topic has not been told of it, and is told of no end', () => {
  const world = new World();
  const sink = new KeptSink();
  world.push.subscribe(sink, world.view, null, ['ORD'], true);
  world.push.end(world.view, new HeadraceError('version_removed', 'it was removed'));
  assert.equal(sink.take(), []);
  assert.equal(world.push.sizes, { topics: 0, watched: 0, subscribers: 0 });
});

test('a view with other options and the same definition takes over its topics', () => {
  const world = new World();
  const { sink, topic } = watching(world, ['ORD']);
  const renewed = makeView({ ttl: 7 * SECOND });
  world.push.renew(renewed);
  world.commit('ORD');
  assert.ok(world.queue.every(({ view }) => view === renewed) && world.queue.length === 1);
  world.settle();
  assert.equal(
    sink.take().map((update) => update['topic']),
    [topic],
  );
});

test.run();
