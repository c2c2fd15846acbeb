import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemTimers } from '../../src/clock.ts';
import { type MetricSources, Metrics } from '../../src/observe/metrics.ts';

const test = suite('observe/metrics');

const SOURCES: MetricSources = {
  cache: () => ({
    counters: { hits: 3, misses: 1, expired: 0, dirty: 0, stale: 0, evictions: { lru: 2, ttl: 0 } },
    size: 5,
    bytes: 600,
  }),
  drift: () => [
    { view: 'a', version: 'v1', feature: 'f', score: 0.25 },
    { view: 'a', version: 'v1', feature: 'g', score: null },
  ],
  alerts: () => [
    { name: 'drift', severity: 'warning' },
    { name: 'drift', severity: 'warning' },
  ],
  fleet: () => ({
    ready: true,
    position: 10,
    shards: 64,
    workers: [
      {
        slot: 0,
        identity: 'w',
        pid: 7,
        state: 'ready',
        shards: [],
        position: 8,
        loading: null,
        queue: 4,
        queue_bytes: 0,
        in_flight_ms: null,
        restarts: 1,
        last_error: null,
        loaded_rows: 0,
        computed: 0,
        usage: { cpu_seconds: 1.5, rss_bytes: 1000 },
      },
    ],
    failures: [
      {
        view: 'a',
        version: 'v1',
        feature: 'f',
        reason: 'raised',
        rows: 3,
        message: 'delays.py:12, late_share: ZeroDivisionError: division by zero',
        as_of: '2024-01-01T00:00:00.000Z',
      },
    ],
  }),
  log: () => ({ position: 10, inflightBytes: 77 }),
  freshness: () => [{ source: 's', seconds: 3 }],
  push: () => ({ sizes: { topics: 1, watched: 2, subscribers: 3 }, counters: { updates: 4, deliveries: 5 } }),
};

async function samples(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('headrace_'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('what is counted and what is asked for', async () => {
  const metrics = new Metrics(SOURCES, systemTimers);
  for (let i = 1; i <= 100; i++) metrics.answered('cached', i / 10);
  metrics.answered('batch', 50);
  metrics.handled('ws', 'get', 'ok');
  metrics.handled('ws', 'get', 'ok');
  metrics.handled('http', 'features', 'unknown_view');
  metrics.connected(1);
  metrics.connected(1);
  metrics.connected(-1);
  const rejected = [{ index: 0, code: 'missing_key' as const, message: '' }];
  metrics.ingested('s', { position: 3, accepted: 3, late: 1, duplicate: 0, rejected });
  metrics.ingested('s', { position: 3, accepted: 0, late: 0, duplicate: 3, rejected });
  metrics.committed(2);
  for (const round of [1, 2]) {
    const values = await samples(metrics);
    const near = (name: string, value: number) => {
      const found = values.get(name)!;
      assert.ok(Math.abs(found - value) <= value * 0.02, `${name}: ${found}, not ${value}, in scrape ${round}`);
    };
    near('headrace_answer_duration_seconds{kind="cached",quantile="0.5"}', 0.005);
    near('headrace_answer_duration_seconds{kind="cached",quantile="0.99"}', 0.0099);
    near('headrace_answer_duration_seconds{kind="batch",quantile="0.95"}', 0.05);
    near('headrace_answer_duration_seconds_sum{kind="cached"}', 0.505);
    assert.not.ok(values.has('headrace_answer_duration_seconds{kind="computed",quantile="0.5"}'));
    const exact: Record<string, number> = {
      'headrace_answers_total{kind="cached"}': 100,
      'headrace_requests_total{edge="ws",name="get",code="ok"}': 2,
      'headrace_requests_total{edge="http",name="features",code="unknown_view"}': 1,
      headrace_connections: 1,
      'headrace_feature_failures_total{view="a",version="v1",feature="f",reason="raised"}': 3,
      'headrace_ingest_events_total{source="s",outcome="accepted"}': 3,
      'headrace_ingest_events_total{source="s",outcome="late"}': 1,
      'headrace_ingest_events_total{source="s",outcome="duplicate"}': 3,
      'headrace_ingest_rejected_total{source="s",code="missing_key"}': 1,
      headrace_log_commit_seconds_count: 1,
      headrace_log_inflight_bytes: 77,
      'headrace_cache_lookups_total{outcome="hit"}': 3,
      headrace_cache_hit_ratio: 0.75,
      'headrace_cache_evictions_total{cause="lru"}': 2,
      'headrace_drift_score{view="a",version="v1",feature="f"}': 0.25,
      'headrace_alerts_firing{name="drift",severity="warning"}': 2,
      'headrace_source_freshness_seconds{source="s"}': 3,
      headrace_watched_entities: 2,
      headrace_deliveries_total: 5,
      headrace_cache_entries: 5,
      'headrace_worker_state{worker="0",state="ready"}': 1,
      'headrace_worker_restarts_total{worker="0"}': 1,
      'headrace_worker_resident_bytes{worker="0"}': 1000,
      'headrace_worker_lag_events{worker="0"}': 2,
    };
    for (const [name, value] of Object.entries(exact)) assert.is(values.get(name), value, `${name} in scrape ${round}`);
    assert.not.ok(values.has('headrace_drift_score{view="a",version="v1",feature="g"}'));
  }
});

test('the main process tells its CPU and memory', async () => {
  const text = await new Metrics(SOURCES, systemTimers).text();
  assert.match(text, /^process_cpu_seconds_total [\d.]+$/m);
  assert.match(text, /^process_resident_memory_bytes \d+$/m);
});

test('docs/METRICS.md has every metric with its labels, and no other', async () => {
  const { registry } = new Metrics(SOURCES, systemTimers);
  const inCode = registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('headrace_'))
    .map((metric) => `${metric.name} ${(metric as unknown as { labelNames: string[] }).labelNames.join(' ')}`.trim());
  const text = readFileSync(new URL('../../docs/METRICS.md', import.meta.url), 'utf8');
  const inDocs = [...text.matchAll(/^\| `(headrace_\w+)` \|([^|]*)\|/gm)].map(([, name, labels]) =>
    `${name} ${[...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label).join(' ')}`.trim(),
  );
  assert.equal(inDocs.sort(), inCode.sort());
});

test.run();
