import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Latency } from '../../src/observe/latency.ts';

const test = suite('observe/latency');

test('quantiles of the last one to two minutes', () => {
  const latency = new Latency();
  assert.is(latency.quantilesMs([0.5], 0), null);
  latency.record(100, 1000);
  latency.record(1, 62_000);
  const [median, top] = latency.quantilesMs([0.5, 0.99], 62_001)!;
  assert.ok(Math.abs(median! - 1) < 0.02, `${median}`);
  assert.ok(Math.abs(top! - 100) < 2, `${top}`);
  // The pane with the 100 ms is over; then all are.
  assert.ok(latency.quantilesMs([0.99], 122_500)![0]! < 1.1);
  assert.is(latency.quantilesMs([0.99], 400_000), null);
  assert.is(latency.count, 2);
  assert.is(latency.sumMs, 101);
});

test('after a pause nothing old is shown', () => {
  const latency = new Latency();
  latency.record(100, 0);
  latency.record(1, 500_000);
  assert.ok(latency.quantilesMs([1], 500_001)![0]! < 1.1);
});

test('durations beyond the scale count as the longest, none as the shortest', () => {
  const latency = new Latency();
  latency.record(0, 0);
  latency.record(10_000_000, 0);
  const [least, most] = latency.quantilesMs([0, 1], 0)!;
  assert.ok(least! <= 0.001);
  assert.ok(most! >= 59_000 && most! < 62_000, `${most}`);
});

test.run();
