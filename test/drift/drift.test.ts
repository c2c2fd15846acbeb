import { Piscina } from 'piscina';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Alert } from '../../src/alerts/alert.ts';
import { Alerts } from '../../src/alerts/alerts.ts';
import type { TimerHandle, Timers } from '../../src/clock.ts';
import { EventClock } from '../../src/clock.ts';
import { Drift, type Pool } from '../../src/drift/drift.ts';
import type { OutputType, View } from '../../src/registry/view.ts';
import { ROW_HEADER, type Row } from '../../src/values/row.ts';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const CONFIG = {
  drift_interval_ms: 60_000,
  drift_window: 300,
  drift_baseline: 200,
  drift_entities_max: 1000,
  drift_threshold: 0.15,
};

class HandTimers implements Timers {
  now = 0;
  waiting: { at: number; callback: () => void }[] = [];
  monotonicMs = () => this.now;
  wallMicros = () => this.now * 1000;
  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const timer = { at: this.now + delayMs, callback };
    this.waiting.push(timer);
    return timer;
  }
  clearTimeout(handle: TimerHandle): void {
    this.waiting = this.waiting.filter((timer) => timer !== handle);
  }
  move(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.clearTimeout(next);
      this.now = next.at;
      next.callback();
    }
    this.now = end;
  }
}

const OUTPUTS: Record<string, OutputType> = { name: 'string', delay: 'float64', count: 'int64', seen: 'timestamp' };

function makeView(outputs = OUTPUTS, version = 'v1'): View {
  return {
    name: 'v',
    version,
    hash: version,
    plan: { entity: 'airport', sources: [{ name: 'departures' }] },
    features: Object.entries(outputs).map(([name, output]) => ({ name, output })),
  } as unknown as View;
}

const pool = new Piscina({ minThreads: 1, maxThreads: 2 });
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Asked {
  view: View;
  codes: number[];
  done: () => void;
}

interface Made {
  views?: View[];
  threads?: Pool;
  config?: Partial<typeof CONFIG>;
  bodies?: string[];
}

function make({ views = [makeView()], threads = pool, config = {}, bodies = [] }: Made = {}) {
  const clock = new EventClock();
  const timers = new HandTimers();
  const asked: Asked[] = [];
  const errors: unknown[] = [];
  const store = { appendAlerts: async (added: string[]) => bodies.push(...added) };
  const past = { epoch: 'e', offset: bodies.length, bodies: [...bodies] };
  const onError = (error: unknown) => errors.push(error);
  const alerts = new Alerts({ ringMax: 100, past, store, onError });
  const drift = new Drift({
    config: { ...CONFIG, ...config },
    clock,
    timers,
    views,
    pool: threads,
    sample: (view, codes, done) => asked.push({ view, codes, done }),
    alerts,
    random: () => 0.5,
    onError,
  });
  drift.start();

  const touch = (codes: number[]) => drift.touch('departures', 'airport', Int32Array.from(codes));
  /** Moves the clock on by a minute, which is a tick. */
  const advance = () => {
    clock.advance((Math.floor(clock.now() / MINUTE) + 1) * MINUTE);
    drift.advance();
  };
  /** A whole tick: these delays, one an entity, are what the engine computes. */
  const tick = async (delays: number[]) => {
    touch(delays.map((_, code) => code));
    advance();
    const { view, codes, done } = asked.pop()!;
    for (const code of codes) drift.onRow(row(view, { delay: delays[code]!, count: code }), code);
    done();
    const asOf = clock.now();
    while (lastTick(drift) !== asOf && errors.length === 0) await settled();
  };
  return { drift, clock, timers, alerts, asked, errors, touch, advance, tick };
}

function lastTick(drift: Drift): number | null {
  const asOf = drift.status().as_of;
  return asOf === null ? null : Date.parse(asOf) * 1000;
}

function row(view: View, values: Record<string, number>): Row {
  const slab = new Float64Array(3 + ROW_HEADER + view.features.length).fill(Number.NaN);
  for (const [place, { name }] of view.features.entries()) slab[3 + ROW_HEADER + place] = values[name] ?? Number.NaN;
  return { view, entityId: 'x', slab, base: 3, strings: null };
}

const ramp = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const feature = (drift: Drift, name = 'delay') => drift.status().features.find((status) => status.feature === name)!;

const test = suite('drift/drift');

test.after(() => pool.destroy());

test('asks once a tick for one vector of each entity touched since the last', () => {
  const { drift, clock, asked, touch } = make();
  touch([4, 2, 4]);
  drift.touch('other', 'airport', Int32Array.of(9));
  drift.touch('departures', 'route', Int32Array.of(9));
  clock.advance(MINUTE - 1);
  drift.advance();
  assert.is(asked.length, 0);
  clock.advance(MINUTE);
  drift.advance();
  assert.is(asked.length, 1);
  assert.equal(asked[0]!.codes.sort(), [2, 4]);
  drift.stop();
});

test('takes one vector an entity, and none that it did not ask for', () => {
  const { drift, asked, touch, advance } = make();
  const view = makeView(OUTPUTS, 'v2');
  touch([1, 2]);
  advance();
  const asking = asked[0]!;
  drift.onRow(row(asking.view, { delay: 1 }), 1);
  drift.onRow(row(asking.view, { delay: 2 }), 1);
  drift.onRow(row(asking.view, { delay: 3 }), 3);
  drift.onRow(row(view, { delay: 3 }), 2);
  assert.is(drift.status().views[0]!.baseline_n, 1);
  asking.done();
  drift.onRow(row(asking.view, { delay: 3 }), 2);
  assert.is(drift.status().views[0]!.baseline_n, 1, 'after the end of the tick it is too late');
  drift.stop();
});

test('the first vectors are the baseline, those after it the window; a thread scores them', async () => {
  const { drift, tick, errors } = make();
  assert.equal(
    drift.status().features.map(({ feature }) => feature),
    ['delay', 'count'],
    'numbers only',
  );
  await tick(ramp(150));
  assert.equal(drift.status().views, [{ view: 'v', version: 'v1', baseline_n: 150, baseline_max: 200, window_n: 0 }]);
  assert.is(feature(drift).status, 'insufficient');
  assert.is(feature(drift).baseline_n, 150);

  await tick(ramp(200));
  assert.equal([feature(drift).baseline_n, feature(drift).current_n], [200, 150]);
  assert.is(feature(drift).status, 'insufficient');
  assert.is(feature(drift).score, null);

  await tick(ramp(200));
  const scored = feature(drift);
  assert.is(scored.status, 'ok');
  assert.ok(scored.score! >= 0 && scored.score! < 0.5);
  assert.is(scored.current_n, 300, 'the ring holds the newest 300');
  // 50…199 and 0…199, less the first 50 of those.
  const newest = [...ramp(150, 50), ...ramp(200)].slice(-300);
  const mean = newest.reduce((sum, x) => sum + x, 0) / 300;
  assert.ok(Math.abs(scored.current.mean! - mean) < 1e-9);
  assert.equal(errors, []);
  drift.stop();
});

test('nulls count as no values', async () => {
  const { drift, tick } = make();
  await tick(ramp(200));
  await tick(ramp(300).map((x) => (x % 2 === 0 ? Number.NaN : x)));
  assert.is(feature(drift).current_n, 150);
  assert.is(feature(drift).status, 'insufficient');
  assert.is(feature(drift, 'count').status, 'ok');
  drift.stop();
});

test('a shift fires after three ticks and resolves after five without it', async () => {
  const { drift, alerts, tick } = make();
  const moved = ramp(300).map((x) => (x % 200) + 500);
  const usual = ramp(300).map((x) => x % 200);
  await tick(ramp(200));
  const states: string[] = [];
  for (const delays of [usual, moved, moved, moved, usual, usual, usual, usual, usual]) {
    await tick(delays);
    states.push(feature(drift).alert);
  }
  const firing = Array(5).fill('firing');
  assert.equal(states, ['inactive', 'pending', 'pending', ...firing, 'inactive']);
  // The count of entities is another than the baseline's throughout, which is not what is tested here.
  const recent = alerts.answer().recent.map(({ alert }) => alert as Alert);
  const delays = recent.filter(({ labels }) => labels['feature'] === 'delay');
  assert.equal(
    delays.map(({ state }) => state),
    ['firing', 'resolved'],
  );
  assert.equal(delays[0]!.labels, { view: 'v', version: 'v1', feature: 'delay' });
  assert.ok(delays[0]!.value! > 0.15);
  assert.ok('current' in delays[0]!.evidence && 'mean_shift' in delays[0]!.evidence);
  drift.stop();
});

test('a leap of the clock over many ticks is one tick', async () => {
  const { drift, clock, asked, touch, tick } = make();
  await tick(ramp(10));
  touch([1]);
  clock.advance(100 * MINUTE + 1);
  drift.advance();
  drift.advance();
  assert.is(asked.length, 1);
  asked[0]!.done();
  await settled();
  touch([1]);
  clock.advance(101 * MINUTE - 1);
  drift.advance();
  assert.is(asked.length, 1, 'the next is due at minute 101');
  clock.advance(101 * MINUTE);
  drift.advance();
  assert.is(asked.length, 2);
  drift.stop();
});

test('one tick at a time; afterwards it rests nine times as long as it took', async () => {
  const { drift, timers, asked, touch, advance } = make();
  touch([1]);
  advance();
  touch([2]);
  advance();
  assert.is(asked.length, 1);
  timers.move(100);
  asked[0]!.done();
  await settled();
  timers.move(899);
  drift.advance();
  assert.is(asked.length, 1);
  timers.move(1);
  drift.advance();
  assert.is(asked.length, 2);
  assert.equal(asked[1]!.codes, [2]);
  drift.stop();
});

test('a timer looks at the clock where no commit does', () => {
  const { drift, clock, timers, asked, touch } = make();
  touch([1]);
  clock.advance(MINUTE);
  timers.move(1000);
  assert.is(asked.length, 1);
  drift.stop();
  assert.equal(timers.waiting, [], 'nothing is left waiting after a stop');
});

test('a tick whose vectors do not come is given up after 30 s', async () => {
  const { drift, timers, asked, touch, advance } = make();
  touch([1]);
  advance();
  touch([2]);
  advance();
  timers.move(29_999);
  assert.is(asked.length, 1);
  timers.move(1);
  await settled();
  timers.move(9 * 30_000);
  assert.is(asked.length, 2);
  asked[0]!.done();
  drift.onRow(row(asked[1]!.view, { delay: 1 }), 2);
  assert.is(drift.status().views[0]!.baseline_n, 1, 'the answer that came too late ends no other tick');
  drift.stop();
});

test('a thread that fails is told of, and the next tick goes on', async () => {
  const threads: Pool = { run: () => Promise.reject(new Error('out of memory')) };
  const { drift, asked, timers, errors, tick, touch, advance } = make({ threads });
  await tick(ramp(200));
  await settled();
  assert.match(String(errors[0]), 'out of memory');
  assert.is(feature(drift).status, 'insufficient');
  timers.move(1);
  touch([1]);
  advance();
  assert.is(asked.length, 1);
  drift.stop();
});

test('three drifting features are critical', async () => {
  const outputs: Record<string, OutputType> = { delay: 'float64', late: 'float64', early: 'float64', on: 'bool' };
  const { drift, alerts, asked, clock, touch } = make({ views: [makeView(outputs)] });
  for (let round = 0; round < 5; round++) {
    touch(ramp(300));
    clock.advance((round + 1) * MINUTE);
    drift.advance();
    const { view, codes, done } = asked.pop()!;
    const by = round === 0 ? 0 : 1000;
    for (const code of codes) {
      drift.onRow(row(view, { delay: code + by, late: 2 * code + by, early: by - code, on: code % 2 }), code);
    }
    done();
    while (lastTick(drift) !== clock.now()) await settled();
  }
  const firing = alerts.firing();
  assert.equal(firing.filter(({ severity }) => severity === 'critical').length, 1);
  assert.is(firing.find(({ name }) => name === 'drift_detected')!.value, 3);
  assert.is(feature(drift, 'on').alert, 'inactive');
  drift.stop();
});

test('alerts of a version that is no more are resolved at the start', async () => {
  const bodies: string[] = [];
  const first = make({ bodies });
  await first.tick(ramp(200));
  for (let i = 0; i < 3; i++) await first.tick(ramp(300).map((x) => x + 500));
  assert.ok(first.alerts.firing().length > 0);
  first.drift.stop();
  const second = make({ bodies, views: [makeView({ count: 'int64' })] });
  assert.ok(second.alerts.firing().every(({ labels }) => labels['feature'] !== 'delay'));
  second.drift.stop();
});

test('a reload keeps the windows of definitions that stay, and resolves the alerts of those that go', async () => {
  const views = [makeView({ delay: 'float64' }), makeView({ delay: 'float64' }, 'v2')];
  const { drift, clock, alerts, asked, touch, advance } = make({ views, config: { drift_interval_ms: 60_000 } });
  const fill = async (delays: number[]) => {
    touch(delays.map((_, code) => code));
    advance();
    const ticks = asked.splice(0);
    for (const { view, codes } of ticks)
      for (const code of codes) drift.onRow(row(view, { delay: delays[code]! }), code);
    for (const { done } of ticks) done();
    while (lastTick(drift) !== clock.now()) await settled();
  };
  await fill(ramp(200));
  for (let i = 0; i < 4; i++) await fill(ramp(300, 5000));
  assert.equal(
    alerts.firing().map(({ labels }) => labels['version']),
    ['v1', 'v2'],
  );
  const renewed = makeView({ delay: 'float64' });
  const v3 = makeView({ delay: 'float64' }, 'v3');
  drift.reload([renewed, v3]);
  assert.equal(
    alerts.firing().map(({ labels }) => labels['version']),
    ['v1'],
  );
  assert.equal(
    drift.status().views.map(({ version, baseline_n }) => [version, baseline_n]),
    [
      ['v1', 200],
      ['v3', 0],
    ],
  );
  touch([1]);
  advance();
  assert.ok(asked.some(({ view }) => view === renewed) && asked.some(({ view }) => view === v3));
  assert.is(asked.length, 2);
  drift.stop();
});

test.run();
