import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Touched } from '../../src/values/touched.ts';
import { makeView } from '../serve/world.ts';

const test = suite('values/touched');

const over = (...sources: string[]) => {
  const view = makeView();
  const source = view.plan.sources[0]!;
  return { ...view, plan: { ...view.plan, sources: sources.map((name) => ({ ...source, name })) } };
};

test('the last touch is the newest over the sources of the view', () => {
  const touched = new Touched();
  const both = over('a', 'b');
  touched.touch('a', 'airport', Int32Array.of(1, 2), 10);
  assert.is(touched.lastTouch(both, 1), 10);
  touched.touch('b', 'airport', Int32Array.of(2), 12);
  assert.is(touched.lastTouch(both, 2), 12);
  assert.is(touched.lastTouch(over('a'), 2), 10);
  assert.is(touched.lastTouch(over('c'), 2), 0);
});

test('entities of another name, unknown codes and far ones are told apart', () => {
  const touched = new Touched();
  const view = over('a');
  assert.is(touched.lastTouch(view, 5_000_000), 0);
  touched.touch('a', 'route', Int32Array.of(1), 10);
  assert.is(touched.lastTouch(view, 1), 0);
  touched.touch('a', 'airport', Int32Array.of(-1, 3, 70_000, 4), 11);
  for (const code of [3, 70_000, 4]) assert.is(touched.lastTouch(view, code), 11);
  assert.is(touched.lastTouch(view, -1), 0);
  touched.touch('a', 'airport', Int32Array.of(3), 12);
  assert.is(touched.lastTouch(view, 3), 12);
  assert.is(touched.lastTouch(view, 70_000), 11);
});

test.run();
