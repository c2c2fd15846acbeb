import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CachedRow, FeatureCache, type Found } from '../../src/cache/cache.ts';
import { CHUNK_ROWS } from '../../src/cache/slab.ts';
import { Upkeep } from '../../src/cache/upkeep.ts';
import { EventClock } from '../../src/clock.ts';
import type { PlanFeature, View } from '../../src/registry/view.ts';
import { RowWriters } from '../../src/values/json.ts';
import { ROW_HEADER } from '../../src/values/row.ts';
import { Touched } from '../../src/values/touched.ts';
import { ManualTimers, makeBlock, makeView, SECOND } from '../serve/world.ts';

const test = suite('cache/cache');

const ROW_BYTES_MAX = 400;

function setup(over: { entriesMax?: number; bytesMax?: number } = {}) {
  const clock = new EventClock();
  const touched = new Touched();
  const codes = new Map<string, number>();
  const cache = new FeatureCache({
    clock,
    touched,
    codes: { codeOf: (_, id) => codes.get(id) ?? -1 },
    writers: new RowWriters(),
    entriesMax: over.entriesMax ?? 1000,
    bytesMax: over.bytesMax ?? 1e9,
  });
  const store = (view: View, id: string, asOf: number, value = 1, validUntil?: number): CachedRow =>
    cache.store(view, id, codes.get(id) ?? -1, makeBlock(view, asOf, 10, [[id, [value, 0]]], validUntil), 0, 1, 0);
  const state = (view: View, id: string, now: number): Found['state'] | 'missing' =>
    cache.find(view, id, now)?.state ?? 'missing';
  return { clock, touched, codes, cache, store, state };
}

const value = ({ slab, base }: CachedRow): number => slab[base + ROW_HEADER]!;

test('a row is fresh until its TTL by the clock that it is asked by, from the moment it was computed for', () => {
  const { store, state, cache } = setup();
  const view = makeView({ ttl: 60 * SECOND });
  store(view, 'ORD', 100 * SECOND);
  assert.is(state(view, 'ORD', 160 * SECOND), 'fresh');
  // No time of the system passes in between: a remembered "now" would still say fresh.
  assert.is(state(view, 'ORD', 160 * SECOND + 1), 'expired');
  assert.is(state(view, 'ATL', 0), 'missing');
  assert.equal([cache.counters.hits, cache.counters.expired, cache.counters.misses], [1, 1, 1]);
});

test('a row computed before the first event of an event clock grows old too', () => {
  const { store, state } = setup();
  const view = makeView({ ttl: 60 * SECOND });
  store(view, 'ORD', 0);
  assert.is(state(view, 'ORD', 0), 'fresh');
  assert.is(state(view, 'ORD', 1000 * SECOND), 'expired');
});

test('an exact view ends a row at its valid_until, another does not', () => {
  const { store, state } = setup();
  const exact = makeView({ exact: true });
  const loose = makeView({ name: 'loose' });
  for (const view of [exact, loose]) store(view, 'ORD', 100 * SECOND, 1, 130 * SECOND);
  assert.is(state(exact, 'ORD', 130 * SECOND - 1), 'fresh');
  assert.is(state(exact, 'ORD', 130 * SECOND), 'expired');
  assert.is(state(loose, 'ORD', 130 * SECOND), 'fresh');
  store(exact, 'ATL', 100 * SECOND);
  assert.is(state(exact, 'ATL', 399 * SECOND), 'fresh', 'without an end');
});

test('a row in which a call of Python may have taken too long ends with the second that it is valid for', () => {
  const { store, state } = setup();
  const { plan } = makeView();
  const features = [{ type: 'python' } as PlanFeature];
  const python = makeView({ plan: { ...plan, features } });
  store(python, 'ORD', 100 * SECOND, 1, 101 * SECOND);
  assert.is(state(python, 'ORD', 101 * SECOND - 1), 'fresh');
  assert.is(state(python, 'ORD', 101 * SECOND), 'expired');
  store(python, 'ATL', 100 * SECOND, 1, 101 * SECOND + 1);
  assert.is(state(python, 'ATL', 102 * SECOND), 'fresh', 'valid for longer');
  const plain = makeView({ name: 'plain' });
  store(plain, 'ORD', 100 * SECOND, 1, 101 * SECOND);
  assert.is(state(plain, 'ORD', 101 * SECOND), 'fresh', 'without Python');
});

test('a touch after the row makes it dirty, one before does not', () => {
  const { store, state, touched, codes, cache } = setup();
  const view = makeView();
  codes.set('ORD', 0);
  touched.touch('departures', 'airport', Int32Array.of(0), 10);
  store(view, 'ORD', 1);
  assert.is(state(view, 'ORD', 1), 'fresh');
  touched.touch('departures', 'airport', Int32Array.of(0), 11);
  assert.is(state(view, 'ORD', 1), 'dirty');
  assert.is(cache.counters.dirty, 1);
  assert.is(cache.hit(view, 'ORD', 1), undefined);
});

test('a row of an entity without events becomes dirty once the entity has a code that was touched', () => {
  const { store, state, touched, codes } = setup();
  const view = makeView();
  store(view, 'NEW', 1);
  codes.set('NEW', 3);
  assert.is(state(view, 'NEW', 1), 'fresh', 'named by late events alone');
  touched.touch('departures', 'airport', Int32Array.of(3), 12);
  assert.is(state(view, 'NEW', 1), 'dirty');
});

test('within the stale window a row is stale, past it expired; dirty beats both', () => {
  const { store, state, touched, codes } = setup();
  const view = makeView({ ttl: 10 * SECOND, staleWhileRevalidate: 20 * SECOND });
  codes.set('ORD', 0);
  store(view, 'ORD', 100 * SECOND);
  assert.is(state(view, 'ORD', 110 * SECOND), 'fresh');
  assert.is(state(view, 'ORD', 111 * SECOND), 'stale');
  assert.is(state(view, 'ORD', 130 * SECOND), 'stale');
  assert.is(state(view, 'ORD', 131 * SECOND), 'expired');
  touched.touch('departures', 'airport', Int32Array.of(0), 11);
  assert.is(state(view, 'ORD', 111 * SECOND), 'dirty');
});

test('updateAgeOnGet keeps a row that is asked for young, but never revives a stale one', () => {
  for (const staleWhileRevalidate of [0, 100 * SECOND]) {
    const { store, state } = setup();
    const view = makeView({ ttl: 10 * SECOND, updateAgeOnGet: true, staleWhileRevalidate });
    store(view, 'ORD', 100 * SECOND);
    assert.is(state(view, 'ORD', 109 * SECOND), 'fresh');
    assert.is(state(view, 'ORD', 118 * SECOND), 'fresh');
    const past = staleWhileRevalidate === 0 ? 'expired' : 'stale';
    assert.is(state(view, 'ORD', 129 * SECOND), past);
    assert.is(state(view, 'ORD', 130 * SECOND), past);
  }
});

test('the rows used least recently go first, and a place used again never shows through', () => {
  const { store, cache } = setup({ entriesMax: 3 });
  const view = makeView();
  for (const [i, id] of ['A', 'B', 'C'].entries()) store(view, id, 1, i);
  cache.find(view, 'A', 1);
  store(view, 'D', 1, 3);
  assert.is(cache.peek(view, 'B'), undefined);
  assert.equal(
    ['A', 'C', 'D'].map((id) => value(cache.peek(view, id)!)),
    [0, 2, 3],
  );
  assert.is(cache.counters.evictions.lru, 1);
  assert.is(cache.size, 3);
});

test('a row stored again takes the place of the old one, with its text and age', () => {
  const { store, cache, state } = setup();
  const view = makeView({ ttl: 10 * SECOND });
  const before = store(view, 'ORD', 100 * SECOND, 1);
  const text = cache.text(before);
  const after = store(view, 'ORD', 200 * SECOND, 2);
  assert.is.not(cache.text(after), text);
  assert.is(cache.size, 1);
  assert.is(cache.slabBytes, CHUNK_ROWS * (ROW_HEADER + 2) * 8);
  assert.is(state(view, 'ORD', 209 * SECOND), 'fresh');
});

test('bytes are bounded: rows, keys, and the texts that come later', () => {
  const { store, cache } = setup({ bytesMax: 100 * ROW_BYTES_MAX });
  const view = makeView();
  for (let i = 0; i < 300; i++) store(view, `E${i}`, 1, i);
  const rows = cache.size;
  assert.ok(rows >= 100 && rows < 300);
  assert.ok(cache.bytes <= 100 * ROW_BYTES_MAX);
  assert.is(cache.counters.evictions.bytes, 300 - rows);
  for (let i = 299; i > 250; i--) assert.ok(cache.text(cache.hit(view, `E${i}`, 1)!).includes(`"E${i}"`));
  assert.ok(cache.size < rows);
  assert.ok(cache.bytes <= 100 * ROW_BYTES_MAX);
  cache.shrink(1000);
  assert.equal([cache.size, cache.bytes, cache.slabBytes], [0, 0, 0]);
});

test('a row larger than the bound is kept alone', () => {
  const { store, cache } = setup({ bytesMax: 10 });
  const view = makeView();
  store(view, 'A', 1);
  store(view, 'B', 1);
  assert.is(cache.size, 1);
  assert.ok(cache.peek(view, 'B') !== undefined);
});

test('another definition shares no row, and one that is forgotten leaves those of the others', () => {
  const { store, cache } = setup();
  const v1 = makeView();
  const other = makeView({ name: 'other' });
  store(v1, 'ORD', 1, 1);
  store(other, 'ORD', 1, 2);
  const changed = makeView({ hash: 'ffff' });
  assert.is(cache.peek(changed, 'ORD'), undefined);
  store(changed, 'ATL', 1, 3);
  cache.forget(v1);
  assert.is(cache.peek(v1, 'ORD'), undefined);
  assert.is(value(cache.peek(other, 'ORD')!), 2);
  assert.is(cache.counters.evictions.replaced, 1);
  assert.ok(cache.peek(makeView(), 'ORD') === undefined && cache.peek(makeView({ hash: 'ffff' }), 'ATL') !== undefined);
});

test('expired rows are dropped by a timer, those within their stale window are not', () => {
  const { store, cache, clock } = setup();
  const timers = new ManualTimers();
  const upkeep = new Upkeep(cache, { timers, purgeIntervalMs: 500, guardBytes: 0, rss: () => 0 });
  store(makeView({ ttl: 10 * SECOND }), 'ORD', 100 * SECOND);
  store(makeView({ name: 'swr', ttl: 10 * SECOND, staleWhileRevalidate: 50 * SECOND }), 'ORD', 100 * SECOND);
  clock.advance(120 * SECOND);
  timers.advance(499);
  assert.is(cache.size, 2);
  timers.advance(1);
  assert.is(cache.size, 1);
  assert.is(cache.counters.evictions.ttl, 1);
  clock.advance(200 * SECOND);
  timers.advance(500);
  assert.is(cache.size, 0);
  upkeep.close();
  assert.is(timers.pending, 0);
});

test('past its threshold the guard drops a fifth, the least recent, gives memory back and then waits', () => {
  const { store, cache } = setup({ entriesMax: 20_000 });
  const timers = new ManualTimers();
  let rss = 0;
  const upkeep = new Upkeep(cache, { timers, purgeIntervalMs: 1e9, guardBytes: 1000, rss: () => rss });
  const view = makeView();
  for (let i = 0; i < 15_000; i++) store(view, `E${i}`, 1, i);
  // Every other row was used lately: the least recent are scattered over all chunks.
  for (let i = 0; i < 15_000; i += 2) cache.find(view, `E${i}`, 1);
  const before = cache.slabBytes;
  timers.advance(1000);
  assert.is(cache.size, 15_000);
  rss = 1001;
  timers.advance(1000);
  assert.is(cache.size, 12_000);
  assert.is(cache.counters.evictions.memory, 3000);
  assert.ok(cache.slabBytes <= before * 0.81);
  for (let i = 0; i < 15_000; i += 2) assert.is(value(cache.peek(view, `E${i}`)!), i);
  timers.advance(4000);
  assert.is(cache.size, 12_000);
  timers.advance(1500);
  assert.is(cache.size, 9600);
  rss = 0;
  timers.advance(60_000);
  assert.is(cache.size, 9600);
  upkeep.close();
  assert.is(timers.pending, 0);
});

test.run();
