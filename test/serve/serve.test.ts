import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { type Answers, type Frame, makeView, SECOND, World } from './world.ts';

const test = suite('serve/serve');

const codeOf = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof HeadraceError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

test('a miss is computed, a hit is answered before get returns', () => {
  const world = new World();
  world.commit('ORD');
  const miss = world.get(['ORD']);
  assert.is(miss.doneCount, 0);
  world.settle();
  assert.is(miss.doneCount, 1);
  assert.is(miss.rows[0]!.state, 'computed');
  const hit = world.get(['ORD']);
  assert.is(hit.doneCount, 1);
  assert.is(hit.rows[0]!.state, 'cached');
  assert.is(hit.rows[0]!.events, 1);
  assert.is(world.timers.pending, 0);
});

test('all who ask meanwhile share one flight', () => {
  const world = new World();
  const asked = [world.get(['ORD']), world.get(['ORD', 'ATL']), world.get(['ORD'])];
  assert.equal(
    world.queue.map((job) => job.entityId),
    ['ORD', 'ATL'],
  );
  world.settle();
  for (const answers of asked) {
    assert.is(answers.doneCount, 1);
    assert.equal(answers.twice, []);
  }
  assert.is(world.serve.flights, 0);
});

test('an id asked for twice is answered at both places, hit or miss', () => {
  const world = new World();
  for (const state of ['computed', 'cached']) {
    const answers = world.get(['ORD', 'ATL', 'ORD']);
    world.settle();
    assert.equal(
      answers.rows.map((row) => row!.state),
      [state, state, state],
    );
    assert.is(answers.doneCount, 1);
  }
});

test('after an acknowledged event a get never sees the past, whatever is under way', () => {
  const world = new World();
  world.commit('ORD');
  const before = world.get(['ORD']);
  const frame = world.send();
  world.commit('ORD');
  const after = world.get(['ORD']);
  assert.is(world.queue.length, 1, 'a further job, since the frame has left');
  const joined = world.get(['ORD']);
  assert.is(world.queue.length, 1, 'which may be joined, since it has not');
  world.land(frame);
  assert.is(before.rows[0]!.events, 1);
  assert.is(after.doneCount, 0);
  world.settle();
  assert.is(after.rows[0]!.events, 2);
  assert.is(joined.rows[0]!.events, 2);
  assert.is(world.serve.flights, 0);
});

test('a row touched after it was cached is computed again', () => {
  const world = new World();
  world.get(['ORD', 'ATL']);
  world.settle();
  world.commit('ORD');
  const answers = world.get(['ORD', 'ATL']);
  assert.is(answers.rows[1]!.state, 'cached');
  world.settle();
  assert.is(answers.rows[0]!.events, 1);
});

test('an entity unknown when cached is dirty once an event names it', () => {
  const world = new World();
  const none = world.get(['NEW']);
  world.settle();
  assert.is(none.rows[0]!.events, 0);
  assert.is(world.get(['NEW']).rows[0]!.state, 'cached');
  world.commit('NEW');
  const answers = world.get(['NEW']);
  world.settle();
  assert.is(answers.rows[0]!.events, 1);
});

test('a job for an unknown entity that leaves after its first event answers with that event', () => {
  const world = new World();
  const answers = world.get(['NEW']);
  world.commit('NEW');
  world.settle();
  assert.is(answers.rows[0]!.events, 1);
  assert.is(world.get(['NEW']).rows[0]!.events, 1);
});

test('a flight that comes back with a row past the TTL is flown again', () => {
  const world = new World({ view: makeView({ ttl: 60 * SECOND }) });
  world.get(['ORD']);
  const frame = world.send();
  world.clock.advance(2000 * SECOND);
  const late = world.get(['ORD']);
  world.land(frame);
  assert.is(late.doneCount, 0);
  world.settle();
  assert.is(late.rows[0]!.asOf, 2000 * SECOND);
});

test('an exact view is not answered by a row that was valid only before it was asked', () => {
  const world = new World({ view: makeView({ exact: true }) });
  world.get(['ORD']);
  const frame = world.send();
  world.clock.advance(1020 * SECOND);
  const answers = world.get(['ORD']);
  world.validUntil = 1010 * SECOND;
  world.land(frame);
  assert.is(answers.doneCount, 0);
  world.validUntil = 1030 * SECOND;
  world.settle();
  assert.is(answers.rows[0]!.asOf, 1020 * SECOND);
});

test('within the stale window a row is served at once and renewed behind, once', () => {
  const world = new World({ view: makeView({ ttl: 10 * SECOND, staleWhileRevalidate: 100 * SECOND }) });
  world.get(['ORD']);
  world.settle();
  world.clock.advance(1050 * SECOND);
  assert.is(world.get(['ORD']).rows[0]!.state, 'stale');
  assert.is(world.get(['ORD']).rows[0]!.state, 'stale');
  assert.is(world.queue.length, 1);
  world.settle();
  assert.is(world.get(['ORD']).rows[0]!.state, 'cached');
  world.commit('ORD');
  world.clock.advance(1100 * SECOND);
  assert.is(world.get(['ORD']).doneCount, 0, 'never a dirty row');
});

test('at the deadline a stale row stands in, or an error that may be retried', () => {
  const world = new World();
  world.get(['ORD']);
  world.settle();
  world.commit('ORD');
  const answers = world.get(['ORD', 'ATL'], { timeoutMs: 300 });
  world.timers.advance(299);
  assert.is(answers.doneCount, 0);
  world.timers.advance(1);
  assert.is(answers.doneCount, 1);
  assert.is(answers.rows[0]!.state, 'stale');
  assert.is(answers.rows[1]!.error!.code, 'unavailable');
  assert.ok(answers.rows[1]!.error!.retry_after_ms! > 0);
  world.settle();
  assert.is(answers.doneCount, 1);
  assert.equal(answers.twice, []);
  assert.is(world.serve.flights, 0);
});

test('what names a position or a moment is never answered stale', () => {
  const world = new World();
  world.get(['ORD']);
  world.settle();
  world.commit('ORD');
  const asked = [
    world.get(['ORD'], { minPosition: 1 }),
    world.get(['ORD'], { asOf: 900 * SECOND }),
    world.get(['ORD'], { asOf: 900 * SECOND, position: 1 }),
  ];
  world.timers.advance(5000);
  for (const answers of asked) assert.is(answers.rows[0]!.error!.code, 'unavailable');
});

test('a failed job degrades as a deadline does, any other error is passed on', () => {
  const world = new World();
  world.get(['ORD']);
  world.settle();
  world.commit('ORD');
  const unavailable = world.get(['ORD']);
  world.serve.failed(world.send().jobs, { code: 'unavailable', message: 'no worker', temporary: true });
  assert.is(unavailable.rows[0]!.state, 'stale');
  const overloaded = world.get(['ORD']);
  world.serve.failed(world.send().jobs, { code: 'overloaded', message: 'too much', temporary: true });
  assert.is(overloaded.rows[0]!.error!.code, 'overloaded');
  assert.is(world.serve.flights, 0);
});

test('where one of two jobs of a flight fails, the other still answers', () => {
  const world = new World();
  world.commit('ORD');
  const first = world.get(['ORD']);
  const frame = world.send();
  world.commit('ORD');
  const second = world.get(['ORD']);
  const next = world.send();
  world.serve.failed(frame.jobs, { code: 'unavailable', message: 'its worker died', temporary: true });
  assert.is(first.doneCount, 0);
  world.land(next);
  assert.is(first.rows[0]!.events, 2);
  assert.is(second.rows[0]!.events, 2);
});

test('a later request lends its deadline to the job that it joins', () => {
  const world = new World();
  world.get(['ORD'], { timeoutMs: 100 });
  world.get(['ORD'], { timeoutMs: 900 });
  assert.is(world.queue[0]!.deadlineMs, 900);
});

test('a request that nobody answered leaves nothing behind', () => {
  const world = new World();
  world.get(['ORD', 'ATL'], { timeoutMs: 10 });
  world.timers.advance(10);
  world.settle();
  assert.is(world.serve.flights, 0);
  assert.is(world.timers.pending, 0);
});

test('min_position beyond the head waits for it, and no longer than the deadline', () => {
  const world = new World();
  world.get(['ORD']);
  world.settle();
  const own = world.get(['ORD'], { minPosition: 2 });
  const never = world.get(['ORD'], { minPosition: 9, timeoutMs: 50 });
  world.commit('ATL');
  assert.is(world.queue.length, 0);
  world.commit('ATL');
  world.settle();
  assert.is(own.doneCount, 1);
  assert.is(own.rows[0]!.position, 2);
  assert.is(never.doneCount, 0);
  world.timers.advance(50);
  assert.is(never.rows[0]!.error!.code, 'unavailable');
  assert.is(never.doneCount, 1);
});

test('a cached row below min_position is a miss, one at it is a hit', () => {
  const world = new World();
  world.commit('ORD');
  world.get(['ORD']);
  world.settle();
  world.commit('ATL');
  const answers = world.get(['ORD'], { minPosition: 2 });
  assert.is(answers.doneCount, 0);
  world.settle();
  assert.is(answers.rows[0]!.position, 2);
  assert.is(world.get(['ORD'], { minPosition: 2 }).doneCount, 1);
});

test('historical rows are shared by those who ask for the same moment, and enter nothing', () => {
  const world = new World();
  world.commit('ORD');
  world.commit('ORD');
  const at = { asOf: 900 * SECOND, position: 1 };
  const first = world.get(['ORD'], at);
  const same = world.get(['ORD'], at);
  const other = world.get(['ORD'], { ...at, position: 2 });
  assert.is(world.queue.length, 2);
  world.settle();
  assert.is(first.rows[0]!.events, 1);
  assert.is(same.rows[0]!.events, 1);
  assert.is(other.rows[0]!.events, 2);
  assert.is(first.rows[0]!.revision, 0);
  assert.is(world.cache.size, 0);
  const again = world.get(['ORD'], at);
  assert.is(again.doneCount, 0, 'never cached');
  world.settle();
  assert.is(again.rows[0]!.events, 1);
});

test('as_of alone is answered with what is known when it is asked', () => {
  const world = new World();
  world.commit('ORD');
  const answers = world.get(['ORD'], { asOf: 900 * SECOND });
  world.commit('ORD');
  world.settle();
  assert.equal([answers.rows[0]!.position, answers.rows[0]!.events], [1, 1]);
});

test('a position alone means the clock at that position', async () => {
  const world = new World();
  world.commit('ORD');
  world.clockAt = (position) => Promise.resolve(500 * SECOND + position);
  const answers = world.get(['ORD'], { position: 1 });
  await Promise.resolve();
  world.settle();
  assert.is(answers.rows[0]!.asOf, 500 * SECOND + 1);
  world.clockAt = () => Promise.resolve(-1);
  const tooOld = world.get(['ORD'], { position: 1 });
  await Promise.resolve();
  assert.is(tooOld.rows[0]!.error!.code, 'as_of_out_of_history');
  assert.match(
    tooOld.rows[0]!.error!.message,
    /^the clock at position 1, 1969-12-31T23:59:59.999999Z, lies before the/,
  );
  const empty = world.get(['ORD'], { position: 0 });
  await Promise.resolve();
  assert.is(empty.rows[0]!.error!.code, 'as_of_out_of_history');
  assert.match(empty.rows[0]!.error!.message, /^at position 0 the log is empty, and its clock lies before the history/);
  world.clockAt = () => Promise.reject(new HeadraceError('store_unavailable', 'the log cannot be read'));
  const unread = world.get(['ORD'], { position: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(unread.rows[0]!.error!.code, 'store_unavailable');
  assert.is(unread.doneCount, 1);
  assert.is(world.timers.pending, 0);
});

test('what can be refused at once throws', () => {
  const world = new World();
  world.commit('ORD');
  world.clock.advance(5000 * SECOND);
  assert.is(
    codeOf(() => world.get(['ORD'], { position: 2 })),
    'unknown_position',
  );
  assert.is(
    codeOf(() => world.get(['ORD'], { asOf: 3999 * SECOND })),
    'as_of_out_of_history',
  );
  assert.is(
    codeOf(() => world.get(['ORD'], { position: 0, minPosition: 1 })),
    'bad_request',
  );
  assert.is(
    codeOf(() => world.get(['ORD'], { asOf: 4000 * SECOND })),
    'nothing thrown',
  );
});

test('an id that cannot be one is an error in its place, the others are answered', () => {
  const world = new World();
  const answers = world.get(['', 'ORD']);
  assert.is(answers.rows[0]!.error!.code, 'invalid_entity_id');
  world.settle();
  assert.is(answers.rows[1]!.state, 'computed');
  assert.is(answers.doneCount, 1);
  assert.is(world.get(['']).doneCount, 1);
});

test('a batch larger than the cache is answered in full', () => {
  const world = new World({ entriesMax: 2 });
  const ids = ['A', 'B', 'C', 'D', 'E'];
  world.commit(...ids);
  const answers = world.get(ids);
  world.settle();
  assert.equal(
    answers.rows.map((row) => row!.events),
    [1, 1, 1, 1, 1],
  );
  assert.is(new Set(answers.rows.map((row) => row!.revision)).size, 5);
});

test('the hot text is the row as a hit, and null where a hit is none', () => {
  const world = new World();
  assert.is(world.serve.hotText(world.view, 'ORD'), null);
  world.get(['ORD']);
  world.settle();
  const text = world.serve.hotText(world.view, 'ORD')!;
  assert.is(JSON.parse(text).entity_id, 'ORD');
  assert.is(JSON.parse(text).cached, true);
  world.commit('ORD');
  assert.is(world.serve.hotText(world.view, 'ORD'), null);
});

test('done may ask again at once', () => {
  const world = new World();
  let again = 0;
  const nothing = { row: () => undefined, failed: () => undefined };
  world.serve.get(world.query(['ORD', 'ATL']), nothing, () => {
    world.serve.get(world.query(['ORD', 'ATL', 'LAX']), nothing, () => again++);
  });
  world.settle();
  assert.is(again, 1);
  assert.is(world.serve.flights, 0);
});

const ids = fc.constantFrom('A', 'B', 'C');
const step = fc.oneof(
  fc.record({ do: fc.constant('commit' as const), ids: fc.array(ids, { minLength: 1, maxLength: 2 }) }),
  fc.record({ do: fc.constant('get' as const), ids: fc.array(ids, { minLength: 1, maxLength: 3 }), own: fc.boolean() }),
  fc.record({ do: fc.constant('send' as const) }),
  fc.record({ do: fc.constant('land' as const) }),
  fc.record({ do: fc.constant('clock' as const), seconds: fc.integer({ min: 1, max: 20 }) }),
);

test('under any order of events, requests and answers each row is right and holds what was acknowledged', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(1, 1000), (steps, entriesMax) => {
      const world = new World({ view: makeView({ ttl: 10 * SECOND }), entriesMax });
      const frames: Frame[] = [];
      const asked: { answers: Answers; ids: string[]; head: number; own: boolean; now: number }[] = [];
      for (const one of steps) {
        if (one.do === 'commit') world.commit(...one.ids);
        else if (one.do === 'clock') world.clock.advance(world.clock.now() + one.seconds * SECOND);
        else if (one.do === 'send' && world.queue.length > 0) frames.push(world.send());
        else if (one.do === 'land' && frames.length > 0) world.land(frames.shift()!);
        else if (one.do === 'get') {
          const { head } = world;
          const answers = world.get(one.ids, one.own ? { minPosition: head } : {});
          asked.push({ answers, ids: one.ids, head, own: one.own, now: world.clock.now() });
        }
      }
      for (const frame of frames) world.land(frame);
      world.settle();
      for (const { answers, ids, head, own, now } of asked) {
        assert.is(answers.doneCount, 1);
        assert.equal(answers.twice, []);
        for (const [i, id] of ids.entries()) {
          const { events, position, asOf } = answers.rows[i]!;
          assert.is(events, world.eventsOf(id, position!), 'as the log had it at its position');
          assert.ok(world.eventsOf(id, position!) >= world.eventsOf(id, head), 'nothing acknowledged is missing');
          assert.ok(!own || position! >= head, 'min_position is kept');
          assert.ok(asOf! + 10 * SECOND >= now, 'not past its TTL when asked');
        }
      }
      assert.is(world.serve.flights, 0);
      assert.is(world.timers.pending, 0);
    }),
  );
});

test.run();
