import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freezeBaseline, type Score, seedScore } from '../../src/drift/score.ts';

const ALARM = 0.15;

const score = (baseline: number[], current: number[]): Score =>
  seedScore(freezeBaseline(Float64Array.from(baseline)), Float64Array.from(current));

const near = (actual: number | null, expected: number, tolerance = 1e-12) =>
  assert.ok(Math.abs(actual! - expected) <= tolerance, `${actual} is not ${expected}`);

/** Seeded numbers in [0, 1). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normals(random: () => number, n: number, mean = 0, std = 1): number[] {
  return Array.from({ length: n }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return mean + std * radius * Math.cos(2 * Math.PI * random());
  });
}

const sequence = (n: number) => Array.from({ length: n }, (_, i) => i);
const sample = (value: fc.Arbitrary<number>) => fc.array(value, { minLength: 200, maxLength: 260 });
const moderate = fc.double({ min: -1e3, max: 1e3, noNaN: true });

const test = suite('drift/score');

test('known answers: 0…1000 against itself moved by 100, and against itself doubled', () => {
  const base = sequence(1001);
  const std = Math.sqrt(base.reduce((sum, x) => sum + (x - 500) ** 2, 0) / 1000);
  const moved = score(
    base,
    base.map((x) => x + 100),
  );
  near(moved.range, 980);
  near(moved.mean_shift, 100 / 980);
  near(moved.cv_shift, std / 500 - std / 600);
  near(moved.score, 0.7 * (100 / 980) + 0.3 * (std / 500 - std / 600));
  near(moved.baseline.mean, 500, 1e-9);
  near(moved.baseline.std, std, 1e-9);
  near(moved.current.mean, 600, 1e-9);

  // Those above p99 + range = 1970 count as 1970.
  const doubled = base.map((x) => Math.min(2 * x, 1970));
  const mean = doubled.reduce((sum, x) => sum + x, 0) / 1001;
  near(
    score(
      base,
      base.map((x) => 2 * x),
    ).mean_shift,
    (mean - 500) / 980,
  );
});

test('a mean near zero: cv is taken over a tenth of the range', () => {
  const base = sequence(1001).map((x) => x - 500);
  const half = base.map((x) => x / 2);
  const std = Math.sqrt(base.reduce((sum, x) => sum + x ** 2, 0) / 1000);
  near(score(base, half).score, (0.3 * (std / 2)) / 98);
});

test('identical samples score 0, whatever they are', () => {
  fc.assert(
    fc.property(sample(fc.double({ noNaN: true, noDefaultInfinity: true })), (values) => {
      const { status, score: value } = score(values, values);
      // The baseline is summed in its sorted order.
      assert.ok(status === 'degenerate' ? value === null : Math.abs(value!) < 1e-9, `${status} ${value}`);
    }),
  );
});

test('no input gives NaN', () => {
  const any = fc.array(
    fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, -0, 5e-324, 1.7e308, -1.7e308)),
    { maxLength: 260 },
  );
  fc.assert(
    fc.property(any, any, (a, b) => {
      const result = score([...a, ...a.slice(0, 200)], b);
      for (const number of [result.score, result.mean_shift, result.cv_shift, result.range]) {
        assert.ok(number === null ? result.status !== 'ok' : Number.isFinite(number), JSON.stringify(result));
      }
      for (const { mean, std } of [result.baseline, result.current]) {
        assert.ok((mean === null || Number.isFinite(mean)) && (std === null || Number.isFinite(std)));
      }
    }),
  );
});

test('another unit changes no score, another origin changes no shift of the mean', () => {
  const scale = fc.double({ min: 0.01, max: 100, noNaN: true }).chain((a) => fc.constantFrom(a, -a));
  fc.assert(
    fc.property(sample(moderate), sample(moderate), scale, moderate, (base, current, a, b) => {
      const plain = score(base, current);
      fc.pre(plain.status === 'ok' && plain.range! > 1e-3);
      const scaled = score(
        base.map((x) => a * x),
        current.map((x) => a * x),
      );
      near(scaled.score, plain.score!, 1e-7);
      const moved = score(
        base.map((x) => a * x + b),
        current.map((x) => a * x + b),
      );
      near(moved.mean_shift, plain.mean_shift!, 1e-7);
    }),
  );
});

test('a standard normal against itself does not alarm', () => {
  const random = uniform(1);
  for (let trial = 0; trial < 200; trial++) {
    const n = trial % 2 === 0 ? 200 : 2000;
    const { score: value } = score(normals(random, 2000), normals(random, n));
    assert.ok(value! < ALARM, `trial ${trial}: ${value}`);
  }
});

test('heavy tails against themselves seldom alarm', () => {
  const random = uniform(2);
  // Student's t with three degrees of freedom.
  const heavy = (n: number) =>
    Array.from({ length: n }, () => {
      const [z, a, b, c] = normals(random, 4) as [number, number, number, number];
      return z / Math.sqrt((a * a + b * b + c * c) / 3);
    });
  let alarms = 0;
  for (let trial = 0; trial < 100; trial++) if (score(heavy(2000), heavy(1000)).score! > ALARM) alarms += 1;
  assert.ok(alarms <= 5, `${alarms} of 100`);
});

test('a shift and a spread alarm', () => {
  const random = uniform(3);
  for (let trial = 0; trial < 50; trial++) {
    const base = normals(random, 2000);
    assert.ok(score(base, normals(random, 1000, 1.5)).score! > ALARM);
    assert.ok(score(base, normals(random, 1000, 0, 2)).score! > ALARM);
  }
});

test('one outlier in the baseline does not blind it', () => {
  const random = uniform(4);
  const base = normals(random, 2000, 100, 10);
  const current = normals(random, 1000, 120, 10);
  const plain = score(base, current).score!;
  const spoiled = score([...base, 1e12], current).score!;
  near(spoiled, plain, 0.02);
  assert.ok(spoiled > ALARM);
  assert.ok(score([...base, 1e12], normals(random, 1000, 100, 10)).score! < ALARM);
});

test('a constant baseline is degenerate, a constant window is not', () => {
  const constant = Array<number>(300).fill(7);
  assert.equal(score(constant, sequence(300)).status, 'degenerate');
  assert.is(score(constant, sequence(300)).score, null);
  assert.equal(score([...constant, 7 + 1e-12], constant).status, 'degenerate', 'rounding is no range');
  assert.equal(score(sequence(300), constant).status, 'ok');
});

test('where nearly all values are alike the whole range counts', () => {
  const rare = [...Array<number>(1990).fill(0), ...Array<number>(10).fill(1)];
  assert.is(score(rare, rare).range, 1);
  const common = sequence(400).map((i) => (i % 2 === 0 ? 1 : 0));
  assert.ok(score(rare, common).score! > ALARM);
});

test('fewer than 200 values on either side give no score', () => {
  for (const [base, current] of [
    [199, 1000],
    [1000, 199],
    [0, 0],
  ] as const) {
    const result = score(sequence(base), sequence(current));
    assert.is(result.status, 'insufficient');
    assert.is(result.score, null);
    assert.equal([result.baseline.n, result.current.n], [base, current]);
  }
  assert.is(score(sequence(200), sequence(200)).status, 'ok');
});

test.run();
