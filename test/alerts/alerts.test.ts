import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { AlertEvent } from '../../src/alerts/alert.ts';
import { type AlertStore, Alerts, type Listener, type Observation } from '../../src/alerts/alerts.ts';

const HOUR = 3_600_000_000;

/** Keeps what the log would keep. */
class MemoryStore implements AlertStore {
  bodies: string[] = [];
  failing = false;

  async appendAlerts(bodies: string[]): Promise<number> {
    if (this.failing) throw new Error('the disk is full');
    this.bodies.push(...bodies);
    return this.bodies.length;
  }
}

class Hearer implements Listener {
  heard: AlertEvent[] = [];
  control(message: object): void {
    this.heard.push(message as AlertEvent);
  }
  flush(): void {}
  get lines(): string[] {
    return this.heard.map(({ offset, alert }) => `${offset} ${alert.name} ${alert.labels['feature']} ${alert.state}`);
  }
}

interface Made {
  store?: MemoryStore;
  ringMax?: number;
}

function make({ store = new MemoryStore(), ringMax = 100 }: Made = {}) {
  const errors: unknown[] = [];
  const past = { epoch: 'e1', offset: store.bodies.length, bodies: store.bodies.slice(-ringMax) };
  const alerts = new Alerts({ ringMax, past, store, onError: (error) => errors.push(error) });
  let now = 0;
  /** One tick; `values` by feature. */
  const tick = async (values: Record<string, number | null>) => {
    now += HOUR;
    alerts.observe(observation(values), now);
    await settled();
  };
  const fire = async (values: Record<string, number | null>) => {
    for (let i = 0; i < 3; i++) await tick(values);
  };
  return { alerts, store, errors, tick, fire };
}

function observation(values: Record<string, number | null>): Observation {
  const parts = Object.entries(values).map(([feature, value]) => ({
    name: 'feature_drift',
    labels: { view: 'v', version: 'v1', feature },
    severity: 'warning' as const,
    threshold: 0.15,
    value,
    evidence: { mean_shift: value },
  }));
  const labels = { view: 'v', version: 'v1' };
  return { parts, whole: { name: 'drift_detected', labels, severity: 'critical', threshold: 3 } };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const test = suite('alerts/alerts');

test('an alert carries its fingerprint, times, value and evidence through its life', async () => {
  const { alerts, tick, fire } = make();
  const hearer = new Hearer();
  const watching = alerts.watch(hearer, { severity: null, resume: null });
  assert.equal(watching, { epoch: 'e1', offset: 0, resumed: false, firing: [], missed: [] });

  await fire({ a: 0.3 });
  const fired = hearer.heard[0]!.alert;
  assert.is(fired.state, 'firing');
  assert.is(fired.starts_at, '1970-01-01T03:00:00.000000Z');
  assert.is(fired.ends_at, null);
  assert.equal(fired.evidence, { mean_shift: 0.3 });
  await tick({ a: 0.4 });
  assert.is(alerts.firing()[0]!.value, 0.4, 'what fires shows its newest value');

  for (let i = 0; i < 5; i++) await tick({ a: 0.01 });
  const resolved = hearer.heard[1]!.alert;
  assert.is(resolved.fingerprint, fired.fingerprint);
  assert.is(resolved.starts_at, fired.starts_at);
  assert.is(resolved.ends_at, '1970-01-01T09:00:00.000000Z');
  assert.is(hearer.heard.length, 2);
  assert.equal(alerts.firing(), []);
});

test('no score never resolves', async () => {
  const { alerts, tick, fire } = make();
  await fire({ a: 0.3 });
  for (let i = 0; i < 20; i++) await tick({ a: null });
  assert.is(alerts.firing().length, 1);
});

test('three firing features are one critical alert that inhibits them', async () => {
  const { alerts, tick, fire } = make();
  const hearer = new Hearer();
  alerts.watch(hearer, { severity: 'critical', resume: null });
  await fire({ a: 0.3, b: 0.3, c: 0 });
  assert.is(hearer.heard.length, 0);
  assert.equal(
    alerts.firing().map(({ inhibited_by }) => inhibited_by),
    [null, null],
  );

  await fire({ a: 0.3, b: 0.3, c: 0.3 });
  const critical = hearer.heard[0]!.alert;
  assert.is(hearer.heard.length, 1, 'a watcher of critical alerts hears of no warning');
  assert.is(critical.name, 'drift_detected');
  assert.is(critical.value, 3);
  const parts = alerts.firing().filter(({ name }) => name === 'feature_drift');
  assert.equal(
    parts.map(({ inhibited_by }) => inhibited_by),
    Array(3).fill(critical.fingerprint),
  );

  for (let i = 0; i < 5; i++) await tick({ a: 0.3, b: 0.3, c: 0 });
  assert.is(hearer.heard[1]!.alert.state, 'resolved');
  assert.ok(alerts.firing().every(({ inhibited_by }) => inhibited_by === null));
});

test('a client that comes back gets exactly what it missed', async () => {
  const { alerts, fire } = make();
  const steady = new Hearer();
  alerts.watch(steady, { severity: null, resume: null });
  await fire({ a: 0.3 });
  await fire({ a: 0.3, b: 0.3 });
  await fire({ a: 0.3, b: 0.3, c: 0.3 });
  assert.is(steady.heard.length, 4);
  for (let offset = 0; offset <= 4; offset++) {
    const { resumed, missed } = alerts.watch(new Hearer(), { severity: null, resume: { epoch: 'e1', offset } });
    assert.is(resumed, true);
    assert.equal(missed, steady.heard.slice(offset));
  }
});

test('what cannot be resumed is said so, with all that fires', async () => {
  const { alerts, fire } = make({ ringMax: 2 });
  await fire({ a: 0.3, b: 0.3, c: 0.3 });
  const resume = (epoch: string, offset: number) => {
    const { resumed, missed, firing } = alerts.watch(new Hearer(), { severity: null, resume: { epoch, offset } });
    assert.is(firing.length, 4);
    return { resumed, missed: missed.length };
  };
  assert.equal(resume('e1', 2), { resumed: true, missed: 2 });
  assert.equal(resume('e1', 1), { resumed: false, missed: 0 }, 'the ring has lost the second');
  assert.equal(resume('e1', 5), { resumed: false, missed: 0 }, 'there is no fifth');
  assert.equal(resume('other', 4), { resumed: false, missed: 0 });
});

test('a restart keeps offsets, the past and what fires', async () => {
  const first = make();
  await first.fire({ a: 0.3, b: 0.3 });
  for (let i = 0; i < 5; i++) await first.tick({ a: 0.3, b: 0 });

  const { alerts, tick, store } = make({ store: first.store });
  assert.is(alerts.answer().offset, 3);
  assert.equal(
    alerts.firing().map(({ labels }) => labels['feature']),
    ['a'],
  );
  const hearer = new Hearer();
  const { resumed, missed } = alerts.watch(hearer, { severity: null, resume: { epoch: 'e1', offset: 2 } });
  assert.is(resumed, true);
  assert.is(missed.length, 1);
  await tick({ a: 0.3 });
  assert.equal(hearer.lines, [], 'it fires on, without a second start');
  for (let i = 0; i < 5; i++) await tick({ a: 0 });
  assert.equal(hearer.lines, ['4 feature_drift a resolved']);
  assert.is(store.bodies.length, 4);
});

test('alerts of things that are no more are resolved', async () => {
  const first = make();
  await first.fire({ a: 0.3, b: 0.3 });
  const { alerts } = make({ store: first.store });
  const hearer = new Hearer();
  alerts.watch(hearer, { severity: null, resume: null });
  alerts.retire(({ labels }) => labels['feature'] !== 'a', 100 * HOUR);
  await settled();
  assert.equal(hearer.lines, ['3 feature_drift a resolved']);
  assert.equal(
    alerts.firing().map(({ labels }) => labels['feature']),
    ['b'],
  );
});

test('nothing is sent before it is durable; it follows, in order, once the store takes it', async () => {
  const { alerts, store, errors, tick, fire } = make();
  const hearer = new Hearer();
  alerts.watch(hearer, { severity: null, resume: null });
  store.failing = true;
  await fire({ a: 0.3 });
  assert.equal(hearer.lines, []);
  assert.is(errors.length, 1);
  assert.is(alerts.firing().length, 1, 'but the present is told');
  store.failing = false;
  await tick({ a: 0.3 });
  assert.equal(hearer.lines, ['1 feature_drift a firing']);
});

test('whoever has gone hears no more', async () => {
  const { alerts, fire } = make();
  const hearer = new Hearer();
  alerts.watch(hearer, { severity: null, resume: null });
  alerts.unwatch(hearer);
  await fire({ a: 0.3 });
  assert.equal(hearer.lines, []);
});

test.run();
