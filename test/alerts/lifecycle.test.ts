import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Lifecycle, type Rule } from '../../src/alerts/lifecycle.ts';

const RULE: Rule = { threshold: 0.15, inclusive: false, fireAfterTicks: 3, clearBelow: 0.8, clearAfterTicks: 5 };

const test = suite('alerts/lifecycle');

function walk(values: (number | null)[], rule = RULE): string[] {
  const lifecycle = new Lifecycle(rule);
  return values.map((value) => lifecycle.step(value) ?? lifecycle.state);
}

test('fires with the third tick above in a row', () => {
  assert.equal(walk([0.2, 0.2, 0.2, 0.2]), ['pending', 'pending', 'fired', 'firing']);
});

test('a tick that is not above starts the count anew', () => {
  assert.equal(walk([0.2, 0.2, 0.15, 0.2, 0.2, 0.2]), [
    'pending',
    'pending',
    'inactive',
    'pending',
    'pending',
    'fired',
  ]);
});

test('resolves with the fifth tick in a row below 0.8 times the threshold', () => {
  const fired = [0.2, 0.2, 0.2];
  const clear = 0.119;
  assert.is(walk([...fired, clear, clear, clear, clear]).at(-1), 'firing');
  assert.is(walk([...fired, clear, clear, clear, clear, clear]).at(-1), 'resolved');
  assert.is(walk([...fired, clear, clear, clear, clear, 0.13, clear]).at(-1), 'firing', '0.13 is not clear');
  assert.is(walk([...fired, clear, clear, clear, clear, clear, 0.2]).at(-1), 'pending', 'and begins again');
});

test('no value changes nothing: it neither resolves nor breaks a count', () => {
  assert.equal(walk([0.2, null, 0.2, null, 0.2]), ['pending', 'pending', 'pending', 'pending', 'fired']);
  assert.is(walk([0.2, 0.2, 0.2, ...Array<null>(20).fill(null)]).at(-1), 'firing');
});

test('an inclusive rule counts the threshold itself', () => {
  const whole = { threshold: 3, inclusive: true, fireAfterTicks: 1, clearBelow: 1, clearAfterTicks: 1 };
  assert.equal(walk([2, 3, 3, 2], whole), ['inactive', 'fired', 'firing', 'resolved']);
});

test.run();
