import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHUNK_ROWS, Slab, type Tenant } from '../../src/cache/slab.ts';

const test = suite('cache/slab');

const WIDTH = 3;
const CHUNK_BYTES = CHUNK_ROWS * WIDTH * 8;

function settle(slab: Slab, mark: number): Tenant {
  const tenant = {} as Tenant;
  slab.settle(tenant);
  tenant.slab.fill(mark, tenant.base, tenant.base + WIDTH);
  return tenant;
}

const numbers = ({ slab, base }: Tenant): number[] => [...slab.subarray(base, base + WIDTH)];

test('rows do not overlap, freed ones are used again', () => {
  const slab = new Slab(WIDTH);
  const tenants = Array.from({ length: CHUNK_ROWS + 1 }, (_, i) => settle(slab, i));
  assert.is(slab.bytes, 2 * CHUNK_BYTES);
  for (const [i, tenant] of tenants.entries()) assert.equal(numbers(tenant), [i, i, i]);
  for (let i = 0; i < 10; i++) slab.leave(tenants[i]!);
  for (let i = 0; i < 10; i++) tenants[i] = settle(slab, 1000 + i);
  assert.is(slab.bytes, 2 * CHUNK_BYTES);
  for (const [i, tenant] of tenants.entries()) assert.is(numbers(tenant)[0], i < 10 ? 1000 + i : i);
});

test('an empty chunk is given back', () => {
  const slab = new Slab(WIDTH);
  const tenants = Array.from({ length: CHUNK_ROWS * 2 }, (_, i) => settle(slab, i));
  for (const tenant of tenants.slice(0, CHUNK_ROWS)) slab.leave(tenant);
  assert.is(slab.bytes, CHUNK_BYTES);
  for (const tenant of tenants.slice(CHUNK_ROWS)) slab.leave(tenant);
  assert.is(slab.bytes, 0);
  assert.equal(numbers(settle(slab, 5)), [5, 5, 5]);
});

test('packing moves scattered rows together, a slice at a time, and keeps their numbers', () => {
  const slab = new Slab(WIDTH);
  const tenants = Array.from({ length: CHUNK_ROWS * 4 }, (_, i) => settle(slab, i));
  const kept = tenants.filter((_, i) => i % 4 === 0);
  for (const [i, tenant] of tenants.entries()) if (i % 4 !== 0) slab.leave(tenant);
  assert.is(slab.bytes, 4 * CHUNK_BYTES);
  let calls = 1;
  while (slab.pack(50)) calls++;
  assert.ok(calls > 2);
  assert.is(slab.bytes, CHUNK_BYTES);
  for (const [i, tenant] of kept.entries()) assert.equal(numbers(tenant), [i * 4, i * 4, i * 4]);
  assert.is(new Set(kept.map(({ base }) => base)).size, CHUNK_ROWS);
  assert.is(slab.pack(50), false);
});

test.run();
