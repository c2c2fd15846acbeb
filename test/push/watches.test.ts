import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clock } from '../../src/clock.ts';
import type { Job } from '../../src/fleet/job.ts';
import { Watches } from '../../src/push/watches.ts';
import { AS_OF, POSITION, ROW_HEADER, VALID_UNTIL } from '../../src/values/row.ts';
import { ViewTags } from '../../src/values/view-tags.ts';
import { ManualTimers, makeView } from '../serve/world.ts';

const test = suite('push/watches');

function setup() {
  const timers = new ManualTimers();
  const clock: Clock = { now: () => timers.wallMicros() };
  const asked: Job[] = [];
  const codes = new Map<string, number>();
  const watches = new Watches({
    clock,
    clockMode: 'wall',
    timers,
    touched: { lastTouch: () => 0 },
    codes: { codeOf: (_, id) => codes.get(id) ?? -1 },
    tags: new ViewTags(),
    compute: (jobs) => void asked.push(...jobs),
  });
  const view = makeView();
  const seen = (id: string, validInMs: number) => {
    const watch = watches.add(view, id);
    const slab = new Float64Array(ROW_HEADER + 2);
    slab[AS_OF] = clock.now();
    slab[POSITION] = 1;
    slab[VALID_UNTIL] = clock.now() + validInMs * 1000;
    watches.seen(watch, { view, entityId: id, slab, base: 0, strings: null });
    return watch;
  };
  return { timers, asked, watches, view, seen, codes };
}

test('under a wall clock one timer wakes for what is due next', () => {
  const { timers, asked, watches, seen } = setup();
  seen('LATER', 500);
  seen('SOONER', 200);
  watches.flush();
  watches.flush();
  assert.is(timers.pending, 1);
  timers.advance(199);
  assert.is(asked.length, 0);
  timers.advance(1);
  assert.equal(
    asked.map(({ entityId }) => entityId),
    ['SOONER'],
  );
  timers.advance(300);
  assert.equal(
    asked.map(({ entityId }) => entityId),
    ['SOONER', 'LATER'],
  );
  assert.is(timers.pending, 0);
});

test('what is removed or valid for ever wakes nobody', () => {
  const { timers, watches, seen } = setup();
  const watch = seen('ORD', 200);
  watches.flush();
  watches.remove(watch);
  seen('ATL', Number.NaN);
  watches.flush();
  assert.is(timers.pending, 0);
});

test('what falls due between the coming of a row and the return of its job is asked for then', () => {
  const { timers, asked, watches, seen } = setup();
  watches.want(seen('ORD', 0));
  watches.flush();
  seen('ORD', 200);
  timers.advance(200);
  watches.flush();
  assert.is(asked.length, 1, 'it is under way');
  watches.computed(asked);
  watches.flush();
  assert.is(asked.length, 2);
});

test('a time beyond what a timer can wait for is waited for in parts', () => {
  const { timers, asked, watches, seen } = setup();
  seen('ORD', 2 ** 31 + 1000);
  watches.flush();
  timers.advance(2 ** 31 - 1);
  assert.is(asked.length, 0);
  timers.advance(1001);
  assert.is(asked.length, 1);
});

test('codes are found again for entities watched by name', () => {
  const { watches, view, codes } = setup();
  codes.set('KNOWN', 4);
  for (const id of ['KNOWN', 'A', 'B']) watches.add(view, id);
  watches.named('route', 0, ['A']);
  watches.named('airport', 5000, ['X', 'A', 'B']);
  const jobs: Job[] = [];
  watches.touch('departures', 'airport', Int32Array.of(-1, 5000, 5001, 4, 5001, 900_000), jobs);
  assert.equal(
    jobs.map(({ entityId, code }) => [entityId, code]),
    [
      ['A', 5001],
      ['KNOWN', 4],
    ],
  );
  for (const id of ['KNOWN', 'A', 'B']) watches.remove(watches.get(view, id)!);
  assert.is(watches.size, 0);
  watches.touch('departures', 'airport', Int32Array.of(4, 5001), jobs);
  assert.is(jobs.length, 2);
});

test.run();
