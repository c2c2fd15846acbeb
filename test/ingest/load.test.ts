import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Ingest } from '../../src/ingest/ingest.ts';
import { type LoadOptions, loadFile } from '../../src/ingest/load.ts';
import { findPython } from '../../src/python.ts';
import { StoreThread } from '../../src/store/client.ts';
import { Dictionaries } from '../../src/store/dictionaries.ts';
import type { Store } from '../../src/store/store.ts';
import { parseTime } from '../../src/wire/time.ts';
import { registry, source } from './fixtures.ts';

const test = suite('ingest/load');
const python = findPython('');
const folder = mkdtempSync(join(tmpdir(), 'headrace-load-'));
let logs = 0;

test.after(() => rmSync(folder, { recursive: true }));

interface Opened {
  ingest: Ingest;
  store: Store;
  dictionaries: Dictionaries;
  position(): number;
}

/** Ingest on a real log. */
async function open(data = join(folder, `log${logs++}`), bytesMax = 64 << 20): Promise<Opened & { data: string }> {
  let position = 0;
  const { store, state } = await StoreThread.open(
    {
      folder: data,
      shards: 4,
      durability: 'normal',
      commitBytesMax: 16 << 20,
      batchKeyDays: 7,
      alertRing: 10,
      sources: [source],
      clock: registry.clock,
    },
    {
      committed: (group) => {
        for (const delta of group.dictionaries) dictionaries.apply(delta);
        position = group.position;
        ingest.committed(group);
      },
      warning: (error) => {
        throw error;
      },
      failed: (error) => ingest.fail(error),
    },
  );
  position = state.position;
  const dictionaries = new Dictionaries(state.dictionaries);
  const ingest = new Ingest({
    registry: () => registry,
    codes: dictionaries,
    append: (batch) => store.append(batch),
    wallMicros: () => Date.now() * 1000,
    config: { ingest_inflight_bytes_max: bytesMax, events_max: 100_000, entity_id_bytes_max: 512 },
  });
  return { ingest, store, dictionaries, position: () => position, data };
}

function load(opened: Opened, file: string, more: Partial<LoadOptions> = {}) {
  return loadFile(
    { file, source, until: null, python, ...more },
    {
      ingest: opened.ingest,
      lastBatch: (name, producer) => opened.store.lastBatch(name, producer),
    },
  );
}

const csv = join(folder, 'events.csv');
const lines = ['origin,destination,date,delay,seats,other'];
for (let i = 0; i < 50; i++) {
  lines.push(
    `A${i % 3},B,2001-01-01T00:${String(i).padStart(2, '0')}:00Z,${i === 7 ? 'late' : i / 4},${i === 8 ? '' : i},x`,
  );
}
lines.push(
  'A0,B,2001-01-01T01:00:00Z',
  ',B,2001-01-01T01:00:00Z,1,1,x',
  'A1,B,soon,1,1,x',
  'A2,B,2001-01-01T01:00:00Z,nan,1,x',
);
writeFileSync(csv, `${lines.join('\n')}\n`);

const parquet = join(folder, 'events.parquet');
execFileSync(python, [
  '-c',
  `
import sys, pyarrow as pa, pyarrow.parquet as pq
n = 150_000
pq.write_table(pa.table({
    "date": pa.array([978307200_000_000 + i * 1_000_000 for i in range(n)], pa.timestamp("us")),
    "origin": [f"A{i % 7}" for i in range(n)],
    "destination": pa.array([f"B{i % 5}" for i in range(n)], pa.large_string()),
    "delay": [float(i) for i in range(n)],
}), sys.argv[1], row_group_size=40_000)`,
  parquet,
]);

test('brings a text file into the log and rejects its bad lines by row', async () => {
  const opened = await open();
  const loaded = await load(opened, csv);
  assert.is(loaded.accepted, 49);
  assert.is(loaded.rejected, 5);
  assert.equal(
    loaded.reasons.map(({ index, code }) => `${index} ${code}`),
    ['7 invalid_field', '50 malformed_json', '51 missing_key', '52 invalid_time', '53 not_finite'],
  );
  assert.is(opened.position(), 49);
  assert.equal(opened.dictionaries.codeOf('@route', 'A2-B'), 2);
  await opened.store.close();
});

test('loads nothing again, also after a restart', async () => {
  const first = await open();
  const progress: number[] = [];
  const until = parseTime('2001-01-02T12:00:00Z');
  const loaded = await load(first, parquet, {
    until,
    onProgress: (rows, total, exact) => {
      progress.push(rows);
      assert.is(total, 129_601);
      assert.ok(exact);
    },
  });
  assert.is(loaded.accepted, 129_601);
  assert.equal(progress, [0, 65_536, 129_601]);
  assert.is((await load(first, parquet, { until })).accepted, 0);
  await first.store.close();

  const second = await open(first.data);
  // Not even a reader of the file is started.
  const again = await load(second, parquet, { until, python: join(folder, 'no-python') });
  assert.equal(again, { skipped: 129_601, accepted: 0, late: 0, duplicate: 0, rejected: 0, reasons: [] });
  assert.is(second.position(), 129_601);
  await second.store.close();
});

test('goes on after an interrupt without counting anything twice', async () => {
  const opened = await open(undefined, 1 << 20);
  const stop = new AbortController();
  const partly = await load(opened, parquet, {
    signal: stop.signal,
    onProgress: (rows) => {
      if (rows > 0) stop.abort();
    },
  });
  const before = opened.position();
  assert.ok(before > 0 && before < 150_000, `${before} of 150000`);
  assert.is(partly.accepted, before);
  const rest = await load(opened, parquet);
  assert.is(rest.skipped, before);
  assert.is(opened.position(), 150_000);
  await opened.store.close();
});

test('waits where the engine is overloaded, and keeps the order', async () => {
  const opened = await open(undefined, 1 << 20);
  const loaded = await load(opened, parquet);
  assert.is(loaded.accepted, 150_000);
  assert.is(await opened.store.clockAt(65_537), parseTime('2001-01-01') + 65_536e6);
  await opened.store.close();
});

test('refuses another file on the same log', async () => {
  const opened = await open();
  await load(opened, csv);
  try {
    await load(opened, parquet);
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, 'empty data folder');
  }
  await opened.store.close();
});

test('says what is wrong with a file', async () => {
  const opened = await open();
  const broken = join(folder, 'broken.parquet');
  writeFileSync(broken, 'no parquet');
  const files: [string, RegExp][] = [
    [broken, /broken\.parquet is no Parquet file/],
    [join(folder, 'missing.csv'), /missing\.csv cannot be read/],
    [folder, /cannot be read/],
  ];
  for (const [file, pattern] of files) {
    try {
      await load(opened, file);
      assert.unreachable(file);
    } catch (error) {
      assert.match((error as Error).message, pattern);
    }
  }
  try {
    await load(opened, csv, { python: join(folder, 'no-python') });
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /could not be started/);
  }
  await opened.store.close();
});

test.run();
