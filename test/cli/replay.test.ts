import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ReplayOptions, replayCommand } from '../../src/cli/replay.ts';
import { Lab, Said } from './engine.ts';

const test = suite('cli/replay');
const lab = new Lab();
test.before(() => lab.start());
test.after(() => lab.end());

const MINUTE_MS = 60_000;
const start = Date.UTC(2001, 0, 1);
const time = (minutes: number): string => new Date(start + minutes * MINUTE_MS).toISOString();

function options(more: Partial<ReplayOptions> = {}): ReplayOptions {
  const window = { after: time(0), until: time(60), speed: 36_000, loop: false };
  return { url: lab.ws, source: 'readings', producer: 'replay', ...window, ...more };
}

/** A reading a minute, the first at minute 0. */
function readings(name: string, meter: string, n: number): string {
  const lines = ['meter,at,value,seen,open,label'];
  for (let i = 0; i < n; i++) lines.push(`${meter},${time(i)},${i},${time(i)},false,x`);
  return lab.file(name, lines.join('\n'));
}

async function eventually(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('sends what lies in the window, once, and says so when run again', async () => {
  const file = readings('once.csv', 'once', 80);
  const said = new Said();
  const never = new AbortController().signal;
  assert.is(await replayCommand(file, options({ producer: 'once', url: lab.url }), said, never), 0, said.stderr);
  assert.equal(await lab.totals('once'), { n: 60, sum: (60 * 61) / 2 });
  assert.match(said.stdout, /60 events taken so far, 0 late, 0 rejected/);

  const again = new Said();
  assert.is(await replayCommand(file, options({ producer: 'once' }), again, never), 0);
  assert.match(again.stdout, /sent before/);
  assert.is((await lab.totals('once')).n, 60);
});

test('goes round, stops at once, and goes on where it stopped', async () => {
  const file = readings('rounds.csv', 'rounds', 61);
  const more = { producer: 'rounds', loop: true, speed: 7200 };
  for (const enough of [20, 90]) {
    const stop = new AbortController();
    const said = new Said();
    const done = replayCommand(file, options(more), said, stop.signal);
    await eventually(async () => (await lab.totals('rounds')).n >= enough);
    stop.abort();
    assert.is(await done, 0);
    assert.is(said.stderr, '');
  }
  const { n, sum } = await lab.totals('rounds');
  const rounds = Math.floor(n / 60);
  const rest = n % 60;
  assert.is(sum, rounds * ((60 * 61) / 2) + (rest * (rest + 1)) / 2, 'each event as often as the ones before it');
});

test('goes on when the engine was away', async () => {
  const file = readings('away.csv', 'away', 61);
  const said = new Said();
  const stop = new AbortController();
  const done = replayCommand(file, options({ producer: 'away', speed: 3600 }), said, stop.signal);
  await eventually(async () => (await lab.totals('away')).n >= 10);
  const { port } = lab;
  await lab.engine.stop();
  await lab.start(port);
  assert.is(await done, 0, said.stderr);
  assert.match(said.stderr, /trying again[\s\S]*going on/);
  assert.equal(await lab.totals('away'), { n: 60, sum: (60 * 61) / 2 });
});

test('counts what is rejected and sends the rest', async () => {
  const lines = [
    'meter,at,value',
    `odd,${time(1)},1`,
    `odd,${time(2)},NaN`,
    `odd,never,3`,
    `,${time(4)},4`,
    `odd,${time(5)},5`,
  ];
  const file = lab.file('odd.csv', lines.join('\n'));
  const said = new Said();
  const never = new AbortController().signal;
  assert.is(await replayCommand(file, options({ producer: 'odd' }), said, never), 0);
  assert.match(said.stdout, /2 events taken so far, 0 late, 3 rejected/);
  assert.equal(await lab.totals('odd'), { n: 2, sum: 6 });
});

test('says what is wrong in one line', async () => {
  const file = readings('wrong.csv', 'wrong', 3);
  const cases: [Partial<ReplayOptions>, RegExp][] = [
    [{ speed: 0 }, /--speed is 0/],
    [{ speed: Number.NaN }, /--speed is NaN/],
    [{ after: time(60) }, /is not before --until/],
    [{ after: 'now' }, /is no time/],
    [{ source: 'readers' }, /no source 'readers'/],
    [{ url: 'ws://127.0.0.1:1/ws' }, /is the engine running/],
    [{ after: time(30) }, /has no events after/],
  ];
  for (const [more, pattern] of cases) {
    const said = new Said();
    const status = await replayCommand(
      file,
      options({ producer: 'wrong', ...more }),
      said,
      new AbortController().signal,
    );
    assert.is(status, 1);
    assert.match(said.stderr, pattern);
    assert.is(said.stderr.trim().split('\n').length, 1, said.stderr);
  }
});

test.run();
