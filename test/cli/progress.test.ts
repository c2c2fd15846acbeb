import { PassThrough } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Progress } from '../../src/cli/progress.ts';
import { Said } from './engine.ts';

const test = suite('cli/progress');

test('says a line every few seconds where there is no screen', () => {
  const said = new Said();
  let nowMs = 0;
  const progress = new Progress(said, { monotonicMs: () => nowMs }, null, 1_000_000, 100_000);
  nowMs = 4000;
  progress.update(150_000);
  assert.is(said.stderr, '');
  nowMs = 10_000;
  progress.update(200_000);
  assert.is(said.stderr, '200000 of 1000000 events, 10000/s, 1 min 20 s left\n');
  progress.update(210_000);
  assert.is(said.stderr.split('\n').length, 2);
  progress.stop();
});

test('draws a bar with rate and time left on a screen', () => {
  const said = new Said();
  const screen = Object.assign(new PassThrough(), {
    isTTY: true,
    columns: 100,
    cursorTo() {},
    clearLine() {},
    moveCursor() {},
  });
  let drawn = '';
  screen.on('data', (text) => {
    drawn += text;
  });
  let nowMs = 0;
  const progress = new Progress(said, { monotonicMs: () => nowMs }, screen, 1000, 0);
  nowMs = 1000;
  progress.update(250);
  progress.update(1500);
  progress.stop();
  assert.is(said.stderr, '');
  assert.match(drawn, /1500 of 1500 events, 1500\/s, 0 s left/);
});

test.run();
