import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Registry } from '../../src/registry/view.ts';
import { Dictionaries } from '../../src/store/dictionaries.ts';
import { Log } from '../../src/store/log.ts';
import {
  batchOf,
  DAY,
  foreign,
  HOUR,
  newFolder,
  optionsOf,
  type PlainEvent,
  readLog,
  removeFolders,
  type StoredEvent,
  sourceOf,
  T0,
} from './material.ts';

const test = suite('store/merge');
test.after(removeFolders);

const SOURCES = ['departures', 'weather', 'gates'];
const sources = SOURCES.map((name) => sourceOf(name, [], { lateness: HOUR, maxAhead: 400 * DAY }));

interface PlainBatch {
  source: string;
  wall: number;
  events: PlainEvent[];
}

/** The log as a plain list of events, each with the clock right after it. */
class Oracle {
  readonly events: (StoredEvent & { wall: number })[] = [];

  add({ source, wall, events }: PlainBatch): void {
    const own = this.events.filter((event) => event.source === source);
    const newest = Math.max(-Infinity, ...own.map(({ ts }) => ts));
    for (const event of events) {
      this.events.push({
        ...{ delay: null, carrier: null, ...event },
        position: this.events.length + 1,
        source,
        late: event.ts < newest - HOUR,
        wall: Math.max(this.events.at(-1)?.wall ?? 0, wall),
      });
    }
  }

  stored(): StoredEvent[] {
    return this.events.map(({ wall: _, ...event }) => event);
  }

  clockAt({ mode, sources: listed }: Registry['clock'], position: number): number {
    const known = this.events.slice(0, position);
    if (mode === 'wall') return known.at(-1)?.wall ?? 0;
    return Math.max(0, ...known.filter(({ source }) => listed?.includes(source) ?? true).map(({ ts }) => ts));
  }
}

const someEvent = fc.record({
  ts: fc.integer({ min: -100, max: 100 }).map((step) => T0 + (step * HOUR) / 10),
  airport: fc.constantFrom('ORD', 'ATL', 'LAX', 'SFO', 'DEN'),
  delay: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((delay) => delay + 0)),
  carrier: fc.option(fc.constantFrom('AA', 'UA', 'DL')),
});
const someBatch: fc.Arbitrary<PlainBatch> = fc.record({
  source: fc.constantFrom(...SOURCES),
  wall: fc.integer({ min: 0, max: 50 }).map((step) => T0 + step * HOUR),
  events: fc.oneof(
    { weight: 8, arbitrary: fc.array(someEvent, { minLength: 1, maxLength: 4 }) },
    // Grown by repetition: the sizes matter, and generating each event would take its time.
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.array(someEvent, { minLength: 1, maxLength: 9 }), fc.constantFrom(30, 100, 300, 1000))
        .map(([events, n]) => Array.from({ length: n }, (_, i) => events[i % events.length]!)),
    },
  ),
});

/** Commits some batches a transaction, merging a step now and then. */
function write(log: Log, batches: PlainBatch[], mergeEvery: number): void {
  const dictionaries = new Dictionaries(log.state().dictionaries);
  for (let i = 0; i < batches.length; i += 3) {
    const group = log.commit(
      batches.slice(i, i + 3).map(({ source, wall, events }) => batchOf(events, { source, wall, codes: dictionaries })),
    );
    for (const delta of group.dictionaries) dictionaries.apply(delta);
    if (i % mergeEvery === 0) log.merge();
  }
}

const CLOCKS: Registry['clock'][] = [
  { mode: 'wall', sources: null },
  { mode: 'event', sources: null },
  { mode: 'event', sources: ['weather', 'gates'] },
];

for (const clock of CLOCKS) {
  const name = `${clock.mode} clock${clock.sources === null ? '' : ` of ${clock.sources.join(' and ')}`}`;
  test(`merging keeps every event, its place, late bit and clock: ${name}`, () => {
    fc.assert(
      fc.property(
        fc.array(someBatch, { minLength: 1, maxLength: 60 }),
        fc.constantFrom(1, 6, 1000),
        fc.constantFrom(1, 10),
        (some, mergeEvery, times) => {
          const batches = Array.from({ length: times }, () => some).flat();
          const folder = newFolder();
          const oracle = new Oracle();
          for (const batch of batches) oracle.add(batch);
          let log = new Log(optionsOf({ folder, sources, clock }));
          write(log, batches, mergeEvery);
          while (log.merge());
          const n = oracle.events.length;
          const check = () => {
            assert.equal(readLog(folder), oracle.stored());
            const [from, to] = [Math.floor(n / 3), Math.floor((2 * n) / 3)];
            assert.equal(readLog(folder, from, to), oracle.stored().slice(from, to));
            for (let position = 0; position <= n; position += Math.ceil(n / 40)) {
              assert.is(log.clockAt(position), oracle.clockAt(clock, position), `clock at ${position}`);
            }
            assert.is(log.clockAt(n), oracle.clockAt(clock, n));
            assert.equal([log.state().position, log.state().clock], [n, oracle.clockAt(clock, n)]);
          };
          check();
          log.close();
          log = new Log(optionsOf({ folder, sources, clock }));
          while (log.merge());
          check();
          log.close();
          removeFolders();
        },
      ),
      { numRuns: 12 },
    );
  });
}

test('small rows become few, and few are rewritten twice at most', () => {
  const folder = newFolder();
  const log = new Log(optionsOf({ folder, sources }));
  const n = 20_000;
  for (let i = 0; i < n; i += 500) {
    const single = (k: number) =>
      batchOf([{ ts: T0 + i + k, airport: `A${k % 9}` }], { source: k % 50 === 0 ? 'weather' : 'departures' });
    log.commit(Array.from({ length: 500 }, (_, k) => single(k)));
  }
  let steps = 0;
  while (log.merge()) steps++;
  const db = foreign(folder);
  const rows = db.prepare('SELECT first, position, n FROM log ORDER BY position').all();
  db.close();
  assert.is(
    rows.reduce((sum, row) => sum + (row['n'] as number), 0),
    n,
  );
  assert.ok(rows.length < 100, `${rows.length} rows`);
  assert.ok(steps < 2 * (n / 256), `${steps} steps`);
  assert.is(Math.max(...rows.map((row) => row['n'] as number)) < 2 * 8192, true);
  assert.equal(
    readLog(folder).map(({ position }) => position),
    Array.from({ length: n }, (_, i) => i + 1),
  );
  log.close();
});

test('large rows are left as they came', () => {
  const folder = newFolder();
  const log = new Log(optionsOf({ folder, sources }));
  const many = (n: number) => Array.from({ length: n }, (_, i) => ({ ts: T0 + i, airport: 'ORD' }));
  for (let i = 0; i < 10; i++) log.commit([batchOf(many(9000)), batchOf(many(1)), batchOf(many(2))]);
  while (log.merge());
  const db = foreign(folder);
  const sizes = db.prepare('SELECT n FROM log ORDER BY position').all();
  db.close();
  assert.equal(
    sizes.map(({ n }) => n),
    // The last two wait for more.
    Array.from({ length: 10 }, (_, i) => (i < 9 ? [9000, 3] : [9000, 1, 2])).flat(),
  );
  log.close();
});

test('a merge that fails leaves the log as it was, and is done later', () => {
  const folder = newFolder();
  const log = new Log(optionsOf({ folder, sources }));
  log.commit(Array.from({ length: 300 }, (_, i) => batchOf([{ ts: T0 + i, airport: 'ORD' }])));
  const before = readLog(folder);
  const db = foreign(folder);
  db.exec("CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'no room left'); END");
  assert.throws(() => log.merge(), /no room left/);
  assert.equal(readLog(folder), before);
  db.exec('DROP TRIGGER full');
  assert.is(log.merge(), true);
  assert.equal(readLog(folder), before);
  assert.is(db.prepare('SELECT COUNT(*) AS n FROM log').get()!['n'], 45);
  db.close();
  log.close();
});

test('a registry with another clock restates the clock of the rows that are there', () => {
  const folder = newFolder();
  const oracle = new Oracle();
  const batches = Array.from({ length: 900 }, (_, i) => ({
    source: SOURCES[i % 3]!,
    wall: T0 + i,
    events: [{ ts: T0 + ((i * 7919) % 1000), airport: 'ORD' }],
  }));
  for (const batch of batches) oracle.add(batch);
  let log = new Log(optionsOf({ folder, sources, clock: CLOCKS[0]! }));
  write(log, batches, 1);
  while (log.merge());
  for (const clock of [
    CLOCKS[0]!,
    CLOCKS[1]!,
    CLOCKS[2]!,
    { mode: 'event' as const, sources: ['gates'] },
    CLOCKS[1]!,
  ]) {
    log.close();
    log = new Log(optionsOf({ folder, sources, clock }));
    assert.is(log.state().clock, oracle.clockAt(clock, 900));
    for (let position = 0; position <= 900; position += 13) {
      assert.is(log.clockAt(position), oracle.clockAt(clock, position), `clock at ${position}`);
    }
  }
  log.close();
});

test.run();
