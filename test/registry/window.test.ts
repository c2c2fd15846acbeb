import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { viewOf } from './registry-text.ts';

const MINUTE = 60_000_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function windowsOf(keys: string) {
  const line = `f: { type: statistical, source: orders, aggregation: count${keys === '' ? '' : `, ${keys}`} }`;
  return viewOf([line]).plan.features.map((feature) => {
    assert.ok('window' in feature);
    return [feature.name, feature.window];
  });
}

const windowOf = (keys: string) => windowsOf(keys)[0]![1];

test('a window left out is what is retained', () => {
  assert.equal(windowOf(''), { time: 30 * DAY });
  assert.equal(windowOf('rows: 100'), { time: 30 * DAY, rows: 100 });
  assert.equal(windowOf('offset: 1d'), { time: 29 * DAY, offset: DAY });
});

test('every key of a window', () => {
  assert.equal(windowOf('window: 7d, rows: 10, gap: 30m, closed: both, offset: 1h'), {
    time: 7 * DAY,
    rows: 10,
    gap: 30 * MINUTE,
    closed: 'both',
    offset: HOUR,
  });
  assert.equal(windowOf('window: 7d, closed: left'), { time: 7 * DAY, closed: 'left' });
  assert.equal(windowOf('window: 7d, closed: neither'), { time: 7 * DAY, closed: 'neither' });
});

test('what says the default makes no other definition', () => {
  assert.equal(windowOf('window: 7d, closed: right, offset: 0'), { time: 7 * DAY });
});

test('a window with its offset may reach back as far as the retention', () => {
  assert.equal(windowOf('window: 23d, offset: 7d'), { time: 23 * DAY, offset: 7 * DAY });
});

test('windows are a feature each, named as they are written', () => {
  assert.equal(windowsOf('windows: [1h, 24h, 90m], rows: 5'), [
    ['f_1h', { time: HOUR, rows: 5 }],
    ['f_24h', { time: DAY, rows: 5 }],
    ['f_90m', { time: 90 * MINUTE, rows: 5 }],
  ]);
  assert.equal(windowsOf('windows: [1d]'), [['f_1d', { time: DAY }]]);
});

test.run();
