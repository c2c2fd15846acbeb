import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { changedSlots, NO_SLOT, reassign, shardOf, shardsOf, unassigned } from '../../src/fleet/assignment.ts';

const NONE = new Set<number>();
const range = (n: number) => [...Array(n).keys()];
const slots = fc.integer({ min: 1, max: 32 });

const test = suite('fleet/assignment');

test('every shard has a live owner and a lease; a slot that goes moves only its own shards, and they come back', () => {
  fc.assert(
    fc.property(slots, fc.integer({ min: 1, max: 300 }), fc.nat(), (count, shards, pick) => {
      const all = range(count);
      const lost = pick % count;
      const before = reassign(unassigned(shards), all, NONE);
      assert.ok(before.owners.every((slot) => slot >= 0 && slot < count));
      assert.ok(before.leases.every((lease) => lease > 0));
      const without = reassign(
        before,
        all.filter((slot) => slot !== lost),
        NONE,
      );
      for (const shard of range(shards)) {
        const moved = before.owners[shard] === lost;
        assert.is(without.owners[shard] !== before.owners[shard], moved);
        if (count > 1) assert.is(without.leases[shard] !== before.leases[shard], moved);
        else assert.is(without.owners[shard], NO_SLOT);
      }
      assert.equal(reassign(without, all, NONE).owners, before.owners);
    }),
  );
});

test('two owners of a shard never share a lease, whatever dies and comes back', () => {
  const step = fc.record({ live: fc.uniqueArray(fc.nat(7)), renewed: fc.uniqueArray(fc.nat(7)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let assignment = reassign(unassigned(16), range(8), NONE);
      const ownerOfLease = new Map<string, string>();
      const incarnations = new Array(8).fill(0);
      for (const { live, renewed } of steps) {
        for (const slot of renewed) incarnations[slot]++;
        assignment = reassign(assignment, live, new Set(renewed));
        for (const [shard, slot] of assignment.owners.entries()) {
          if (slot === NO_SLOT) continue;
          const lease = `${shard}/${assignment.leases[shard]}`;
          const owner = `${slot}/${incarnations[slot]}`;
          assert.is(ownerOfLease.get(lease) ?? owner, owner);
          ownerOfLease.set(lease, owner);
        }
      }
    }),
  );
});

test('shards are spread: with 4096 of them no slot has twice its share', () => {
  for (const count of [2, 3, 8, 16, 32]) {
    const { owners } = reassign(unassigned(4096), range(count), NONE);
    for (const slot of range(count)) {
      const share = (owners.filter((owner) => owner === slot).length * count) / 4096;
      assert.ok(share > 0.5 && share < 2, `slot ${slot} of ${count} has ${share} of its share`);
    }
  }
});

test('a renewed slot gets new leases for the shards it keeps, the others keep theirs', () => {
  const before = reassign(unassigned(8), [0, 1], NONE);
  const after = reassign(before, [0, 1], new Set([1]));
  assert.equal(after.owners, before.owners);
  assert.equal(shardsOf(after, 0), shardsOf(before, 0));
  for (const [shard, lease] of shardsOf(after, 1)) assert.ok(lease > before.leases[shard]!);
  assert.equal(changedSlots(before, after), new Set([1]));
});

test('codes spread over shards in turn; an entity without a code goes to shard 0', () => {
  assert.equal(
    [-1, 0, 1, 7, 8, 17].map((code) => shardOf(code, 8)),
    [0, 0, 1, 7, 0, 1],
  );
});

test.run();
