import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { closest, didYouMean, listOf, quote } from '../../src/registry/suggest.ts';

test('the nearest name is guessed', () => {
  assert.is(closest('maen', ['min', 'mean', 'median']), 'mean');
  assert.is(closest('retension', ['retention', 'history']), 'retention');
  assert.is(closest('delay-mean', ['delay_mean', 'delay_min']), 'delay_mean');
  assert.is(closest('MEAN', ['mean']), 'mean');
});

test('nothing far away is guessed', () => {
  assert.is(closest('user_id', ['item_id', 'price']), null);
  assert.is(closest('id', ['ip']), null);
  assert.is(closest('x'.repeat(100_000), ['x'.repeat(100_001)]), null);
  assert.is(didYouMean('sum', []), '');
});

test('long texts and lists are cut', () => {
  assert.is(quote('a"b'), '"a\\"b"');
  assert.ok(quote('x'.repeat(1000)).length < 80);
  assert.is(listOf(['a', 'b']), 'a, b');
  assert.is(listOf([]), 'nothing');
  assert.match(listOf(Array.from({ length: 25 }, (_, i) => `f${i}`)), /f23 and 1 more$/);
});

test.run();
