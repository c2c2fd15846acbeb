import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Expiry, type Timed } from '../../src/push/expiry.ts';

const test = suite('push/expiry');

const item = (): Timed => ({ dueAt: Number.NaN, heapIndex: -1 });

test('items come out in the order of their times, wherever they were moved or removed', () => {
  const step = fc.tuple(fc.nat(9), fc.oneof(fc.nat(20), fc.constant(Number.NaN), fc.constant('remove' as const)));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const expiry = new Expiry<Timed>();
      const items = Array.from({ length: 10 }, item);
      const model = new Map<Timed, number>();
      for (const [which, at] of steps) {
        const one = items[which]!;
        if (at === 'remove') expiry.remove(one);
        else expiry.set(one, at);
        if (at === 'remove' || Number.isNaN(at)) model.delete(one);
        else model.set(one, at);
      }
      assert.is(expiry.size, model.size);
      const times = [...model.values()].sort((a, b) => a - b);
      assert.equal(expiry.next, times[0] ?? Number.NaN);
      const out: number[] = [];
      for (let taken = expiry.take(20); taken !== undefined; taken = expiry.take(20)) {
        assert.is(model.get(taken), taken.dueAt);
        assert.is(taken.heapIndex, -1);
        out.push(taken.dueAt);
      }
      assert.equal(out, times);
    }),
  );
});

test('nothing is taken before it is due', () => {
  const expiry = new Expiry<Timed>();
  const one = item();
  expiry.set(one, 5);
  assert.is(expiry.take(4), undefined);
  assert.is(expiry.take(5), one);
  assert.is(expiry.take(5), undefined);
});

test.run();
