/**
 * Which slot owns which shard, and under which lease. Pure functions: the same deaths in the same order give the same
 * owners and leases.
 *
 * Owners are found by rendezvous hash over the live slots: when a slot goes, only its shards move, and they move to all
 * others alike; when it comes back, exactly those return. A lease is a number that no two owners of a shard ever share,
 * so that a row computed by a former owner is known by the lease it carries.
 */

export interface Assignment {
  /** Slot by shard; −1 where no slot is live. */
  readonly owners: Int32Array;
  /** Lease by shard; 0 where it has no owner. */
  readonly leases: Uint32Array;
  /** The greatest lease given so far. */
  readonly lastLease: number;
}

export const NO_SLOT = -1;

/** The virtual shard of an entity code; an entity without a code (−1) has no events and may go anywhere: to shard 0. */
export const shardOf = (code: number, shardCount: number): number => (code < 0 ? 0 : code % shardCount);

export function unassigned(shardCount: number): Assignment {
  return { owners: new Int32Array(shardCount).fill(NO_SLOT), leases: new Uint32Array(shardCount), lastLease: 0 };
}

/**
 * The assignment over the live slots. Shards that stay with a slot keep their lease, unless the slot has lost its memory.
 * @param live slots that may own shards
 * @param renewed slots with a new incarnation, whose shards need a new lease even where they stay
 */
export function reassign(before: Assignment, live: readonly number[], renewed: ReadonlySet<number>): Assignment {
  const owners = before.owners.map((_, shard) => ownerOf(shard, live));
  const leases = before.leases.slice();
  const given = new Map<number, number>();
  let lastLease = before.lastLease;
  for (const [shard, slot] of owners.entries()) {
    if (slot === NO_SLOT) leases[shard] = 0;
    else if (slot !== before.owners[shard] || renewed.has(slot)) {
      if (!given.has(slot)) given.set(slot, ++lastLease);
      leases[shard] = given.get(slot)!;
    }
  }
  return { owners, leases, lastLease };
}

/** Pairs [shard, lease] of one slot, as an assign frame lists them. */
export function shardsOf(assignment: Assignment, slot: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (const [shard, owner] of assignment.owners.entries()) {
    if (owner === slot) pairs.push([shard, assignment.leases[shard]!]);
  }
  return pairs;
}

/** Slots for which the two assignments differ. */
export function changedSlots(before: Assignment, after: Assignment): Set<number> {
  const changed = new Set<number>();
  for (const [shard, owner] of after.owners.entries()) {
    if (owner === before.owners[shard] && after.leases[shard] === before.leases[shard]) continue;
    changed.add(owner).add(before.owners[shard]!);
  }
  changed.delete(NO_SLOT);
  return changed;
}

function ownerOf(shard: number, slots: readonly number[]): number {
  let owner = NO_SLOT;
  let greatest = -1;
  for (const slot of slots) {
    const weight = weigh(shard, slot);
    if (weight > greatest || (weight === greatest && slot < owner)) {
      greatest = weight;
      owner = slot;
    }
  }
  return owner;
}

/** 32 bits that look random and depend on both numbers alike. */
function weigh(shard: number, slot: number): number {
  let bits = Math.imul(shard + 1, 0x9e3779b1) ^ Math.imul(slot + 1, 0x85ebca77);
  bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}
