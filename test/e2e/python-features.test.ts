/** Features written in Python, in an engine with real workers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client, Message } from './client.ts';
import { type Engine, eventually, Lab } from './lab.ts';

const test = suite('features in Python');
const lab = new Lab();
const REGISTRY = lab.path('functions/features.yaml');
const START_MS = Date.parse('2024-03-01T00:00:00Z');

const YAML = `
project: meters
clock: event
entities:
  meter: {}
sources:
  readings:
    keys: { meter: "{meter}" }
    timestamp: at
    fields: { value: float, label: category, ok: bool }
    lateness: 1h
    retention: 7d
    history: 30d
views:
  use:
    entity: meter
    ttl: 5m
    exact: true
    versions:
      v1:
        features:
          readings_1h: { type: statistical, aggregation: count, window: 1h }
          high_share: { type: python, function: "meters:high_share", source: readings, window: 1h, fields: [value] }
          inverse: { type: python, function: "meters:inverse", source: readings, window: 1h, fields: [value] }
          patient: { type: python, function: "meters:patient", source: readings, window: 1h, timeout: 50ms, fields: [value] }
          top: { type: python, function: "meters:top", source: readings, window: 1h }
          twice: { type: expression, expression: 2 * high_share }
`;

const MODULE = `import time
from datetime import datetime

import pandas as pd
from headrace import feature
from limits import HIGH


@feature
def high_share(window: pd.DataFrame, as_of: pd.Timestamp) -> float | None:
    return (window["value"] > HIGH).mean() if len(window) else None


@feature
def inverse(window: pd.DataFrame, as_of: pd.Timestamp) -> float | None:
    if window["value"].sum() == 0:
        raise ZeroDivisionError("nothing was used")
    return 1 / window["value"].sum()


@feature
def patient(window: pd.DataFrame, as_of: pd.Timestamp) -> float:
    if (window["value"] < 0).any():
        time.sleep(60)
    return 1.0


@feature(outputs={"label": str, "at": datetime, "ok": bool, "n": int})
def top(window: pd.DataFrame, as_of: pd.Timestamp):
    if window.empty:
        return None
    row = window.loc[window["value"].idxmax()]
    return {"label": row["label"], "at": row["timestamp"], "ok": row["ok"], "n": len(window)}
`;

let engine: Engine;
let client: Client;

test.before(async () => {
  mkdirSync(lab.path('functions'));
  writeFileSync(REGISTRY, YAML);
  writeFileSync(lab.path('functions/meters.py'), MODULE);
  writeFileSync(lab.path('functions/limits.py'), 'HIGH = 10\n');
  engine = await lab.engine('data', ['--workers', '1'], REGISTRY);
  client = await lab.client(engine);
});
test.after(() => lab.close());

function ingest(events: object[]): Promise<Message> {
  return client.must({ type: 'ingest', source: 'readings', events });
}

const get = async (entityId: string): Promise<Message> =>
  (await client.must({ type: 'get', view: 'use', entity_ids: [entityId] })).rows[0].features;

const failureOf = async (feature: string): Promise<Message> =>
  (await engine.get('/fleet')).failures.find((one: Message) => one.feature === feature);

test('a function gets the rows of the window, and its values are served with their types', async () => {
  await ingest([
    { at: START_MS, meter: 'a', value: 5, label: 'low', ok: true },
    { at: START_MS + 1000, meter: 'a', value: 20, label: 'größer', ok: false },
    { at: START_MS + 2000, meter: 'a', value: 15, ok: null },
  ]);
  const features = await get('a');
  assert.equal(features, {
    readings_1h: 3,
    high_share: 2 / 3,
    inverse: 1 / 40,
    patient: 1,
    top_label: 'größer',
    top_at: '2024-03-01T00:00:01.000000Z',
    top_ok: false,
    top_n: 3,
    twice: 4 / 3,
  });
  const nobody = await get('nobody');
  assert.equal([nobody.high_share, nobody.top_label, nobody.top_n, nobody.patient], [null, null, null, 1]);
});

test('an exception makes that feature null and no other, and /fleet says where it arose', async () => {
  await ingest([{ at: START_MS + 3000, meter: 'b', value: 0, label: 'none', ok: true }]);
  const features = await get('b');
  assert.equal([features.inverse, features.high_share, features.top_label, features.twice], [null, 0, 'none', 0]);
  const failure = await failureOf('inverse');
  assert.equal(
    [failure.view, failure.version, failure.reason, failure.message],
    ['use', 'v1', 'raised', 'meters.py:17, inverse: ZeroDivisionError: nothing was used'],
  );
  assert.ok(failure.rows >= 1);
  assert.match(engine.err, 'a Python feature failed');
  const metrics = await (await fetch(`${engine.url}/metrics`)).text();
  assert.match(
    metrics,
    /headrace_feature_failures_total\{view="use",version="v1",feature="inverse",reason="raised"\} [1-9]/,
  );
});

test('a call that takes too long is ended, and the worker lives', async () => {
  const [before] = await engine.workers();
  await ingest([{ at: START_MS + 4000, meter: 'c', value: -1, label: 'stuck', ok: true }]);
  const features = await get('c');
  assert.equal([features.patient, features.high_share, features.top_label], [null, 0, 'stuck']);
  const failure = await failureOf('patient');
  assert.is(failure.reason, 'timed_out');
  assert.match(failure.message, /^meters\.py:2[34], patient: took more than \d+ ms$/);
  const [after] = await engine.workers();
  assert.equal([after!.pid, after!.restarts], [before!.pid, 0]);
});

test('a value is pushed when its events arrive', async () => {
  await client.must({ type: 'subscribe', view: 'use', entity_ids: ['d'], features: ['high_share', 'top_label'] });
  await ingest([{ at: START_MS + 5000, meter: 'd', value: 11, label: 'first' }]);
  await client.next((message) => message.type === 'update' && JSON.stringify(message).includes('first'));
});

test('another source on disk is another definition', async () => {
  writeFileSync(lab.path('functions/limits.py'), 'HIGH = 100\n');
  const { out, err, code } = await lab.run(['validate', REGISTRY]);
  assert.is(code, 0, out + err);
  // The running engine reads the registry again, finds v1 changed, and refuses: the old one serves on.
  const refused = await eventually('a refused reload', async () => {
    const answer = await engine.post('/registry/reload', {});
    return answer.status === 200 ? false : { status: answer.status, text: await answer.text() };
  });
  assert.is(refused.status, 422, refused.text);
  assert.match(refused.text, /high_share/);
  assert.is((await get('a')).high_share, 2 / 3);
});

test.run();
