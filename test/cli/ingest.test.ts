import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type IngestOptions, ingestCommand } from '../../src/cli/ingest.ts';
import { Lab, Said } from './engine.ts';

const test = suite('cli/ingest');
const lab = new Lab();
test.before(() => lab.start());
test.after(() => lab.end());

async function ingest(
  file: string,
  more: Partial<IngestOptions> = {},
  signal = new AbortController().signal,
): Promise<{ status: number; said: Said }> {
  const said = new Said();
  const status = await ingestCommand(file, { url: lab.url, source: 'readings', ...more }, said, signal);
  return { status, said };
}

/** A CSV of n readings of one meter, one a second, each of value 1. */
function readings(name: string, meter: string, n: number): string {
  const lines = ['meter,at,value,seen,open,label'];
  const start = Date.UTC(2001, 0, 1);
  for (let i = 0; i < n; i++) lines.push(`${meter},${new Date(start + i * 1000).toISOString()},1,,true,x`);
  return lab.file(name, `${lines.join('\n')}\n`);
}

test('brings a file, and nothing of it twice', async () => {
  const file = readings('many.csv', 'many', 70_000);
  const first = await ingest(file);
  assert.is(first.status, 0, first.said.stderr);
  assert.match(first.said.stdout, /70000 events taken/);
  assert.equal(await lab.totals('many'), { n: 70_000, sum: 70_000 });

  const again = await ingest(file);
  assert.is(again.status, 0);
  assert.match(again.said.stdout, /: 0 events taken .* 70000 were there before/);
  assert.equal(await lab.totals('many'), { n: 70_000, sum: 70_000 });
});

test('brings part of a file by time', async () => {
  const file = readings('window.csv', 'window', 100);
  const { status, said } = await ingest(file, { after: '2001-01-01T00:00:09Z', until: '2001-01-01T00:00:19' });
  assert.is(status, 0, said.stderr);
  assert.is((await lab.totals('window')).n, 10);
});

test('tells which rows were rejected and why, and takes the others', async () => {
  const rows = [
    '{"meter": "bad", "at": "2001-01-01T00:00:00Z", "value": 2.5, "open": true, "seen": "2001-01-01"}',
    '{"meter": "bad", "at": "2001-01-01T00:00:00Z", "value": "x"}',
    '{"meter": "bad"',
    '[]',
    '{"meter": 7, "at": 978307200000, "value": 1}',
    '{"meter": "bad", "at": "2001-01-01T00:00:00Z", "value": NaN}',
    '{"meter": "", "at": "2001-01-01T00:00:00Z"}',
  ];
  const { status, said } = await ingest(lab.file('bad.ndjson', rows.join('\n')));
  assert.is(status, 3);
  assert.match(said.stdout, /2 events taken .* 5 rejected/);
  for (const row of [1, 2, 3, 5, 6]) assert.match(said.stderr, `row ${row}: `);
  assert.match(said.stderr, '[not_finite]');
  assert.equal(await lab.totals('bad'), { n: 1, sum: 2.5 });
  assert.equal(await lab.totals('7'), { n: 1, sum: 1 });
});

test('stops when asked to, says how to go on, and goes on', async () => {
  const file = readings('stopped.csv', 'stopped', 150_000);
  const stop = new AbortController();
  const position = lab.engine.position;
  const watching = setInterval(() => {
    if (lab.engine.position > position) stop.abort();
  }, 1);
  const first = await ingest(file, {}, stop.signal);
  clearInterval(watching);
  assert.is(first.status, 130, first.said.stdout);
  assert.match(first.said.stderr, /run the same command again/);
  const second = await ingest(file);
  assert.is(second.status, 0, second.said.stderr);
  assert.equal(await lab.totals('stopped'), { n: 150_000, sum: 150_000 });
});

test('says what is wrong in one line', async () => {
  const file = readings('few.csv', 'few', 3);
  const cases: [string, Partial<IngestOptions>, RegExp][] = [
    [file, { source: 'readers' }, /no source 'readers'; it has readings/],
    [file, { url: 'http://127.0.0.1:1' }, /is the engine running/],
    [file, { url: 'nowhere' }, /is no address/],
    [file, { until: 'soon' }, /"soon" is no time/],
    [lab.file('events.xlsx', 'x'), {}, /should end in one of .*parquet/],
    [lab.file('empty.csv', ''), {}, /is empty/],
    [`${file}.gone.csv`, {}, /no such file/],
  ];
  for (const [path, more, pattern] of cases) {
    const { status, said } = await ingest(path, more);
    assert.is(status, 1);
    assert.match(said.stderr, pattern);
    assert.is(said.stderr.trim().split('\n').length, 1, said.stderr);
  }
  assert.is((await lab.totals('few')).n, 0);
});

test.run();
