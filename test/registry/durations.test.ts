import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DURATION_MAX, formatDuration, parseDuration } from '../../src/registry/durations.ts';

test('a duration is a whole number and a unit', () => {
  assert.is(parseDuration('1h'), 3_600_000_000);
  assert.is(parseDuration('7d'), 604_800_000_000);
  assert.is(parseDuration('30m'), 1_800_000_000);
  assert.is(parseDuration('90s'), 90_000_000);
  assert.is(parseDuration('500ms'), 500_000);
  assert.is(parseDuration('0'), 0);
  assert.is(parseDuration('0d'), 0);
});

test('the largest unit that fits is written', () => {
  assert.is(formatDuration(3_600_000_000), '1h');
  assert.is(formatDuration(90_000_000), '90s');
  assert.is(formatDuration(86_400_000_000), '1d');
  assert.is(formatDuration(1000), '1ms');
  assert.is(formatDuration(0), '0');
});

test('what is written is read as the same', () => {
  const wholeMillis = fc.integer({ min: 0, max: DURATION_MAX / 1000 }).map((ms) => ms * 1000);
  fc.assert(fc.property(wholeMillis, (micros) => parseDuration(formatDuration(micros)) === micros));
});

test('no other text is taken for a duration', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseDuration(text);
      return typeof parsed === 'number' ? /^(0|\d+(ms|[smhd]))$/.test(text) : parsed.problem.length > 0;
    }),
  );
});

test('the fix is told where it can be guessed', () => {
  const fixOf = (text: string) => (parseDuration(text) as { problem: string }).problem.split('; ')[1];
  assert.is(fixOf('2w'), 'write 14d');
  assert.is(fixOf('1 hour'), 'write 1h');
  assert.is(fixOf('1h30m'), 'write 90m');
  assert.is(fixOf('1 day 6 hours'), 'write 30h');
  assert.is(fixOf('0.5s'), 'write 500ms');
  assert.is(fixOf('7D'), 'write 7d');
  assert.is(fixOf('30'), 'a number needs its unit: write 30s, 30m, 30h or 30d');
  assert.is(fixOf('1y'), undefined);
  assert.is(fixOf('1constructor'), undefined);
  assert.is(fixOf(''), undefined);
});

test('a hundred years is the most', () => {
  assert.is(parseDuration('36500d'), DURATION_MAX);
  assert.is((parseDuration('36501d') as { problem: string }).problem, 'the longest duration is 36500d');
  assert.is(typeof parseDuration('9'.repeat(400)), 'object');
});

test.run();
