import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { formatTime, parseTime } from '../../src/wire/time.ts';

const test = suite('wire/time');

const refused = (value: unknown, pattern: RegExp): void => {
  try {
    parseTime(value);
  } catch (error) {
    assert.instance(error, HeadraceError);
    assert.is((error as HeadraceError).code, 'invalid_time');
    assert.match((error as HeadraceError).message, pattern);
    return;
  }
  assert.unreachable(`${JSON.stringify(value)} was taken`);
};

const at = Date.UTC(2001, 5, 24, 0, 1, 2) * 1000;

test('reads every documented form', () => {
  assert.is(parseTime('2001-06-24T00:01:02Z'), at);
  assert.is(parseTime('2001-06-24t00:01:02z'), at);
  assert.is(parseTime('2001-06-24 00:01:02'), at);
  assert.is(parseTime('2001-06-24T00:01:02'), at);
  assert.is(parseTime('2001-06-24T00:01Z'), at - 2_000_000);
  assert.is(parseTime('2001-06-24'), at - 62_000_000);
  assert.is(parseTime('2001-06-24T02:01:02+02:00'), at);
  assert.is(parseTime('2001-06-24T02:01:02+0200'), at);
  assert.is(parseTime('2001-06-24T02:01:02+02'), at);
  assert.is(parseTime('2001-06-23T18:31:02-05:30'), at);
  assert.is(parseTime('2001-06-24T00:01:02.5Z'), at + 500_000);
  assert.is(parseTime('2001-06-24T00:01:02,5'), at + 500_000);
  assert.is(parseTime('2001-06-24T00:01:02.000001Z'), at + 1);
  assert.is(parseTime('2001-06-24T00:01:02.123456789Z'), at + 123_456, 'finer than a microsecond is cut, not rounded');
  assert.is(parseTime('2001-06-24T00:01:02.999999999Z'), at + 999_999);
  assert.is(parseTime(at / 1000), at);
  assert.is(parseTime(at / 1000 + 0.25), at + 250);
  assert.is(parseTime('2000-02-29'), Date.UTC(2000, 1, 29) * 1000);
  assert.is(parseTime('1969-12-31T23:59:59.999999Z'), -1);
});

test('refuses what the calendar does not have', () => {
  for (const day of [
    '2001-02-29',
    '2001-02-30',
    '1900-02-29',
    '2001-04-31',
    '2001-00-10',
    '2001-13-10',
    '2001-01-00',
  ]) {
    refused(day, /calendar/);
  }
  refused('2001-06-24T24:00:00Z', /23:59/);
  refused('2001-06-24T12:60:00Z', /23:59/);
  refused('2001-06-24T12:00:60Z', /seconds/);
  refused('2001-06-24T12:00:00+24:00', /offset/);
});

test('refuses what cannot be told to the microsecond', () => {
  refused('1684-01-01', /1684 to 2255/);
  refused('2256-01-01', /1684 to 2255/);
  refused('9999-12-31T23:59:59Z', /1684 to 2255/);
  assert.ok(Number.isSafeInteger(parseTime('1685-01-01')));
  assert.ok(Number.isSafeInteger(parseTime('2254-12-31T23:59:59.999999Z')));
});

test('refuses text of another shape', () => {
  const shapes = [
    '',
    'now',
    '2001',
    '20010624T000102Z',
    '2001/06/24',
    '24.06.2001',
    ' 2001-06-24',
    '2001-06-24 ',
    '-001-01-01',
  ];
  const tails = [
    '2001-06-24Z',
    '2001-06-24T',
    '2001-06-24T12',
    '2001-06-24T12:00:00.Z',
    '2001-06-24T12:00:00.1234567890Z',
  ];
  const offsets = [
    '2001-06-24T12:00:00 UTC',
    '2001-06-24T12:00:00+2',
    '2001-06-24T12:00:00+02:0x',
    '2001-06-24T12:00:00ZZ',
  ];
  for (const text of [...shapes, ...tails, ...offsets]) refused(text, /no time/);
  refused(`2001-06-24T${'9'.repeat(10_000)}`, /…/);
});

test('refuses numbers of another unit with a hint', () => {
  refused(993_340_862, /seconds: multiply by 1000/);
  refused(993_340_862_000_000, /microseconds: divide by 1000/);
  refused(993_340_862_000_000_000, /nanoseconds: divide by 1000000/);
  for (const other of [0, 1, -1, 1e300]) {
    refused(other, /numbers are epoch milliseconds between 1973 and 2100; multiply seconds by 1000/);
  }
  refused(Date.UTC(2101, 0, 1), /1973 and 2100/);
  refused(Number.NaN, /NaN/);
  refused(Number.POSITIVE_INFINITY, /Infinity/);
  assert.is(parseTime(Date.UTC(1973, 0, 1)), Date.UTC(1973, 0, 1) * 1000);
  assert.is(parseTime(Date.UTC(2100, 11, 31)), Date.UTC(2100, 11, 31) * 1000);
});

test('refuses what is neither text nor number', () => {
  for (const value of [null, undefined, true, {}, [], new Date(), 5n]) refused(value, /ISO 8601/);
});

test('writes six digits of fraction', () => {
  assert.is(formatTime(at), '2001-06-24T00:01:02.000000Z');
  assert.is(formatTime(at + 7), '2001-06-24T00:01:02.000007Z');
  assert.is(formatTime(-1), '1969-12-31T23:59:59.999999Z');
});

test('agrees with Date, and reads back what it writes', () => {
  const micros = fc
    .integer({ min: Date.UTC(1685, 0, 1), max: Date.UTC(2254, 11, 31) })
    .chain((ms) => fc.integer({ min: 0, max: 999 }).map((rest) => ms * 1000 + rest));
  fc.assert(
    fc.property(micros, (time) => {
      const ms = Math.floor(time / 1000);
      const text = formatTime(time);
      assert.is(text, `${new Date(ms).toISOString().slice(0, -1)}${String(1000 + (time - ms * 1000)).slice(1)}Z`);
      assert.is(parseTime(text), time);
      assert.is(parseTime(new Date(ms).toISOString()), ms * 1000);
    }),
    { numRuns: 2000 },
  );
});

test('takes an offset away', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1439, max: 1439 }), (minutes) => {
      const size = Math.abs(minutes);
      const two = (n: number): string => String(n).padStart(2, '0');
      const offset = `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
      assert.is(parseTime(`2001-06-24T00:01:02${offset}`), at - minutes * 60e6);
    }),
  );
});

test.run();
