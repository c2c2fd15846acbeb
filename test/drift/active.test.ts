import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ActiveEntities } from '../../src/drift/active.ts';

const test = suite('drift/active');

/** Seeded numbers in [0, 1). */
function uniform(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const codes = (from: number, n: number) => Int32Array.from({ length: n }, (_, i) => from + i);

test('gives each touched code once, and starts anew', () => {
  const active = new ActiveEntities(10, uniform());
  active.add(Int32Array.of(3, 1, 3, -1, -5));
  active.add(Int32Array.of(1, 2));
  assert.equal(active.take().sort(), [1, 2, 3]);
  assert.equal(active.take(), []);
});

test('keeps no more than its bound, out of all that came', () => {
  const active = new ActiveEntities(100, uniform());
  for (let i = 0; i < 50; i++) active.add(codes(i * 100, 100));
  const kept = active.take();
  assert.is(kept.length, 100);
  assert.is(new Set(kept).size, 100);
  assert.ok(kept.every((code) => code >= 0 && code < 5000));
  assert.ok(kept.some((code) => code < 2500) && kept.some((code) => code >= 2500));
});

test('a code that comes often has no better chance than one that comes once', () => {
  const active = new ActiveEntities(100, uniform());
  let often = 0;
  const rounds = 300;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 20; i++) active.add(codes(0, 100));
    active.add(codes(100, 900));
    often += active.take().filter((code) => code < 100).length;
  }
  // A tenth of the codes: 10 of 100 a round, with a standard deviation of 2.8.
  const mean = often / rounds;
  assert.ok(mean > 9 && mean < 11, `${mean}`);
});

test.run();
