import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Due, type ReplayWindow, Schedule, SPAN_MS } from '../../src/cli/replay-schedule.ts';

const test = suite('cli/replay-schedule');

const MINUTE = 60e6;
/** At 600 times real time a minute of events takes 100 ms. */
const window: ReplayWindow = { after: 0, until: 10 * MINUTE, speed: 600, loop: false };

function schedule(minutes: number[], more: Partial<ReplayWindow> = {}): Schedule {
  return new Schedule(
    Float64Array.from(minutes, (minute) => minute * MINUTE),
    { ...window, ...more },
  );
}

test('gives each event when it is due', () => {
  const plan = schedule([1, 1, 2, 4]);
  plan.begin(0, 0, 1000);
  assert.is(plan.take(1000), 100);
  assert.is(plan.take(1060), 40);
  assert.equal(plan.take(1100), { loop: 0, from: 0, to: 2 });
  assert.equal(plan.take(1205), { loop: 0, from: 2, to: 3 });
  assert.is(plan.take(1205), 195);
  assert.not.ok(plan.done);
  assert.equal(plan.take(1400), { loop: 0, from: 3, to: 4 });
  assert.ok(plan.done);
});

test('goes round with times moved on', () => {
  const plan = schedule([1, 10], { loop: true });
  plan.begin(0, 0, 0);
  plan.take(100);
  plan.take(1000);
  assert.is(plan.take(1000), 100);
  assert.equal(plan.take(1100), { loop: 1, from: 0, to: 1 });
  assert.is(plan.shift(1), 10 * MINUTE);
  assert.equal(plan.take(2000), { loop: 1, from: 1, to: 2 });
  assert.not.ok(plan.done);
});

test('does not catch up with a burst: what is overdue goes on at the same speed', () => {
  const plan = schedule([1, 2, 3, 4, 5, 6, 7]);
  plan.begin(0, 0, 0);
  assert.equal(plan.take(10_000), { loop: 0, from: 0, to: 2 });
  assert.is(plan.take(10_000), 100);
  assert.equal(plan.take(10_100), { loop: 0, from: 2, to: 3 });
  assert.equal(plan.take(10_200), { loop: 0, from: 3, to: 4 });
});

test('begins at the event that is next after a restart', () => {
  const plan = schedule([1, 2, 8], { loop: true });
  plan.begin(3, 2, 500);
  assert.equal(plan.take(500), { loop: 3, from: 2, to: 3 });
  const round = schedule([1, 2, 8], { loop: true });
  round.begin(3, 3, 500);
  assert.equal(round.take(500), { loop: 4, from: 0, to: 1 });
  const over = schedule([1, 2, 8]);
  over.begin(0, 3, 500);
  assert.ok(over.done);
});

test('keeps the order of the file', () => {
  const plan = schedule([3, 1, 2, 4]);
  plan.begin(0, 0, 0);
  assert.is(plan.take(200), 100);
  assert.equal(plan.take(300), { loop: 0, from: 0, to: 3 });
  assert.is(plan.take(300), 100);
});

test('gives every event once, in order, never early and never more than a span at a time', () => {
  const minutes = fc.array(fc.double({ min: 0.001, max: 10, noNaN: true }), { minLength: 1, maxLength: 60 });
  const waits = fc.array(fc.double({ min: 0, max: 400, noNaN: true }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(minutes, waits, (unsorted, delays) => {
      const sorted = unsorted.toSorted((a, b) => a - b);
      const plan = schedule(sorted);
      plan.begin(0, 0, 0);
      let now = 0;
      const given: Due[] = [];
      for (let i = 0; !plan.done; i++) {
        const due = plan.take(now);
        if (typeof due === 'number') now += due + 1e-6;
        else {
          const last = sorted[due.to - 1]!;
          assert.ok(last * 100 <= now + 1e-3, 'not early');
          assert.ok((last - sorted[due.from]!) * 100 <= SPAN_MS + 1e-3, 'within a span');
          given.push(due);
          now += delays[i % delays.length]!;
        }
      }
      assert.is(given[0]!.from, 0);
      for (const [i, due] of given.entries()) assert.is(due.to, given[i + 1]?.from ?? sorted.length);
    }),
  );
});

test.run();
