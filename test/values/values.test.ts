import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FeatureCache } from '../../src/cache/cache.ts';
import { EventClock } from '../../src/clock.ts';
import { RowWriters } from '../../src/values/json.ts';
import { COMPUTED_AT, REVISION, ROW_HEADER } from '../../src/values/row.ts';
import { Touched } from '../../src/values/touched.ts';
import { Values } from '../../src/values/values.ts';
import { makeBlock, makeView } from '../serve/world.ts';

const test = suite('values/values');

const view = makeView({}, ['float64', 'string']);

function setup() {
  const told: { id: string; code: number; changed: boolean; revision: number; value: number }[] = [];
  const cache = new FeatureCache({
    clock: new EventClock(),
    touched: new Touched(),
    codes: { codeOf: () => -1 },
    writers: new RowWriters(),
    entriesMax: 10,
    bytesMax: 1e6,
  });
  const values = new Values({
    cache,
    wallMicros: () => 42,
    onRow: ({ entityId, slab, base }, code, changed) => {
      assert.is(slab[base + COMPUTED_AT], 42);
      told.push({ id: entityId, code, changed, revision: slab[base + REVISION]!, value: slab[base + ROW_HEADER]! });
    },
  });
  const accept = (asOf: number, position: number, value: number, text: string | null = null) =>
    values.accept({ ...makeBlock(view, asOf, position, [['ORD', [value, 0]]]), strings: [null, [text]] }, [7]);
  return { told, cache, values, accept };
}

test('the revision rises where the bits differ, and only there', () => {
  const { told, accept } = setup();
  accept(1, 1, 5);
  accept(2, 2, 5);
  accept(3, 3, Number.NaN);
  accept(4, 4, Number.NaN);
  accept(5, 5, 0);
  accept(6, 6, -0);
  accept(7, 7, 0, 'a');
  accept(8, 8, 0, 'a');
  accept(9, 9, 0, 'b');
  accept(10, 10, 5e-324, 'b');
  assert.equal(
    told.map(({ changed }) => changed),
    [true, false, true, false, true, false, true, false, true, true],
  );
  assert.equal(
    told.map(({ revision }) => revision),
    [1, 1, 2, 2, 3, 3, 4, 4, 5, 6],
  );
  assert.is(told[0]!.code, 7);
});

test('a row never replaces one of a newer position, or of a later moment at the same', () => {
  const { told, accept, cache } = setup();
  accept(5, 5, 1);
  accept(9, 4, 2);
  accept(4, 5, 3);
  assert.is(told.length, 1);
  const row = cache.peek(view, 'ORD')!;
  assert.is(row.slab[row.base + ROW_HEADER], 1);
  accept(6, 5, 4);
  assert.is(told.length, 2);
});

test('an evicted entity never counts back', () => {
  const { told, accept, cache } = setup();
  accept(1, 1, 5);
  cache.shrink(1);
  accept(2, 2, 5);
  assert.equal(
    told.map(({ revision, changed }) => [revision, changed]),
    [
      [1, true],
      [2, true],
    ],
  );
});

test('a detached row stands by itself', () => {
  const { values, cache, told } = setup();
  const block = {
    ...makeBlock(view, 3, 4, [
      ['A', [1, 0]],
      ['B', [2, 0]],
    ]),
    strings: [null, ['x', 'y']],
  };
  const row = values.detachedRow(block, 1, false);
  block.values.fill(9);
  assert.equal([...row.slab], [3, 4, 0, Number.NaN, 42, Number.NaN, 2, 0]);
  assert.equal(row.strings, [null, 'y']);
  assert.is(row.entityId, 'B');
  assert.ok(values.detachedRow(block, 0, true).slab[REVISION]! > 0);
  assert.is(cache.size, 0);
  assert.equal(told, []);
});

test.run();
