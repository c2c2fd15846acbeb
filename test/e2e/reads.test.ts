import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client } from './client.ts';
import { type Engine, Lab } from './lab.ts';
import { checkRow, type Known, known, ORACLE_FEATURES, oracle, Readings, seeded } from './meters.ts';

const test = suite('reads after writes');
const lab = new Lab();
const log: Known[] = [];
const readings = new Readings(seeded(4), 20);
let engine: Engine;
let writer: Client;
let reader: Client;

test.before(async () => {
  engine = await lab.engine('data', ['--workers', '2']);
  writer = await lab.client(engine);
  reader = await lab.client(engine);
});
test.after(() => lab.close());

async function ingest(n: number): Promise<{ position: number; meters: string[] }> {
  const events = readings.batch(n);
  const { position, accepted, late } = await writer.must({ type: 'ingest', source: 'readings', events });
  assert.equal({ accepted, late }, { accepted: n, late: 0 });
  log.push(...known(events, position));
  return { position, meters: [...new Set(events.map(({ meter }) => meter))] };
}

test('an acknowledged event is in the next get, on the same connection, another one and over HTTP', async () => {
  for (let round = 0; round < 150; round++) {
    const { position, meters } = await ingest(1 + (round % 5));
    const question = { entity_ids: meters, features: ORACLE_FEATURES };
    const answers = await Promise.all([
      writer.must({ type: 'get', ...question }),
      reader.must({ type: 'get', ...question }),
      reader.must({ type: 'get', ...question, min_position: position }),
      engine.post('/features/batch', question).then((response) => response.json()),
    ]);
    for (const { rows } of answers) {
      assert.equal(
        rows.map((row: { entity_id: string }) => row.entity_id),
        meters,
      );
      for (const row of rows) {
        assert.ok(row.position >= position, `${row.entity_id} at ${row.position}, acknowledged was ${position}`);
        checkRow(log, row);
      }
    }
  }
});

test('gets that run beside many ingests under way see what was acknowledged when they were sent', async () => {
  const acknowledged = new Map<string, number>();
  const gets: Promise<void>[] = [];
  const rows: Parameters<typeof checkRow>[1][] = [];
  const write = async () => {
    for (let i = 0; i < 60; i++) {
      const { position, meters } = await ingest(3);
      for (const meter of meters) acknowledged.set(meter, Math.max(position, acknowledged.get(meter) ?? 0));
      const meter = readings.anyMeter();
      const least = acknowledged.get(meter) ?? 0;
      const question = { type: 'get', entity_ids: [meter], features: ORACLE_FEATURES };
      const got = reader.must(question).then(({ rows: [row] }) => {
        assert.ok(row.position >= least, `${meter} at ${row.position}, acknowledged was ${least}`);
        rows.push(row);
      });
      // Looked at in the end; until then a failure is none that nobody handles.
      got.catch(() => {});
      gets.push(got);
    }
  };
  await Promise.all([write(), write(), write(), write()]);
  await Promise.all(gets);
  assert.is(rows.length, 240);
  // Only now is it known which readings stand before the position of each row.
  for (const row of rows) checkRow(log, row);
});

test('min_position waits for a position that is yet to come, and times out where it does not come', async () => {
  const head = log.at(-1)!.position;
  const { meter } = log[0]!;
  const early = reader.must({ type: 'get', entity_ids: [meter], min_position: head + 2 });
  await ingest(2);
  const { rows } = await early;
  assert.ok(rows[0].position >= head + 2);
  const late = await reader.must({ type: 'get', entity_ids: [meter], min_position: head + 3, timeout_ms: 200 });
  assert.is(late.rows[0].error.code, 'unavailable');
});

test('the past is answered as it was known then', async () => {
  const head = log.at(-1)!.position;
  for (const share of [0.25, 0.5, 0.75, 1]) {
    const position = Math.floor(head * share);
    const asOf = Math.max(...log.filter((one) => one.position <= position).map(({ at }) => at));
    const meters = [...new Set(log.map(({ meter }) => meter))];
    const question = { type: 'get', entity_ids: meters, features: ORACLE_FEATURES, position };
    const { rows } = await reader.must(question);
    for (const row of rows) {
      assert.is(row.position, position);
      assert.is(Date.parse(row.as_of), asOf);
      checkRow(log, row);
    }
    const earlier = await reader.must({ ...question, as_of: asOf - 1_800_000 });
    for (const { entity_id, features } of earlier.rows) {
      assert.equal(features, oracle(log, entity_id, asOf - 1_800_000, position));
    }
  }
});

test.run();
