/** All metrics. What happens is counted here; what merely is, is asked for when Prometheus scrapes. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Timers } from '../clock.ts';
import type { IngestAnswer } from '../store/log-row.ts';
import type { FleetAnswer } from '../wire/bodies.ts';
import type { AnswerKind, EdgeMetrics } from '../wire/service.ts';
import { Latency } from './latency.ts';

/** What the rooms tell at a scrape. */
export interface MetricSources {
  cache(): {
    counters: {
      hits: number;
      misses: number;
      expired: number;
      dirty: number;
      stale: number;
      evictions: Record<string, number>;
    };
    /** Rows. */
    size: number;
    bytes: number;
  };
  /** The newest score of each feature; null: there is none yet. */
  drift(): { view: string; version: string; feature: string; score: number | null }[];
  /** Alerts that fire, by name and severity. */
  alerts(): { name: string; severity: string }[];
  fleet(): FleetAnswer;
  log(): { position: number; inflightBytes: number };
  /** Engine time less the newest event, in seconds, by source; sources without events are left out. */
  freshness(): { source: string; seconds: number }[];
  push(): {
    sizes: { topics: number; watched: number; subscribers: number };
    counters: { updates: number; deliveries: number };
  };
}

const QUANTILES = [0.5, 0.95, 0.99];
const KINDS: AnswerKind[] = ['cached', 'computed', 'batch'];
const COMMIT_BUCKETS_S = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2];

type Add = (value: number, labels?: Record<string, string | number>) => void;

export class Metrics implements EdgeMetrics {
  readonly registry = new Registry();
  readonly #timers: Timers;
  readonly #latencies = { cached: new Latency(), computed: new Latency(), batch: new Latency() };
  /** By edge, name and code, joined by a blank: cheaper than labels on each request. */
  readonly #handled = new Map<string, number>();
  readonly #ingested: Counter<'source' | 'outcome'>;
  readonly #rejected: Counter<'source' | 'code'>;
  readonly #commit: Histogram;
  #connections = 0;

  constructor(sources: MetricSources, timers: Timers) {
    this.#timers = timers;
    const { registry } = this;
    const registers = [registry];
    collectDefaultMetrics({ register: registry });
    this.#ingested = new Counter({
      name: 'headrace_ingest_events_total',
      help: 'Events by source and outcome: accepted (late ones included), late, duplicate',
      labelNames: ['source', 'outcome'],
      registers,
    });
    this.#rejected = new Counter({
      name: 'headrace_ingest_rejected_total',
      help: 'Events that were not taken, by source and error code',
      labelNames: ['source', 'code'],
      registers,
    });
    this.#commit = new Histogram({
      name: 'headrace_log_commit_seconds',
      help: 'Duration of a transaction of the log with its fsync',
      buckets: COMMIT_BUCKETS_S,
      registers,
    });
    this.#edges();
    this.#cache(sources);
    this.#engine(sources);
    this.#fleet(sources);
  }

  answered(kind: AnswerKind, tookMs: number): void {
    this.#latencies[kind].record(tookMs, this.#timers.monotonicMs());
  }

  handled(edge: 'ws' | 'http', name: string, code: string): void {
    const key = `${edge} ${name} ${code}`;
    this.#handled.set(key, (this.#handled.get(key) ?? 0) + 1);
  }

  connected(delta: 1 | -1): void {
    this.#connections += delta;
  }

  ingested(source: string, { accepted, late, duplicate, rejected }: IngestAnswer): void {
    this.#ingested.inc({ source, outcome: 'accepted' }, accepted);
    this.#ingested.inc({ source, outcome: 'late' }, late);
    this.#ingested.inc({ source, outcome: 'duplicate' }, duplicate);
    // A retry repeats what was rejected before, which is counted once.
    if (duplicate > 0) return;
    for (const { code } of rejected) this.#rejected.inc({ source, code });
  }

  /** One transaction of the log is on disk. */
  committed(tookMs: number): void {
    this.#commit.observe(tookMs / 1000);
  }

  /** Prometheus text. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  #edges(): void {
    this.#gauge(
      'headrace_answer_duration_seconds',
      'Time to answer by kind, of the last 1 to 2 minutes',
      ['kind', 'quantile'],
      (add) => {
        for (const kind of KINDS) {
          const values = this.#latencies[kind].quantilesMs(QUANTILES, this.#timers.monotonicMs());
          values?.forEach((ms, i) => {
            add(ms / 1000, { kind, quantile: QUANTILES[i] as number });
          });
        }
      },
    );
    this.#counter('headrace_answer_duration_seconds_sum', 'Sum of the times to answer by kind', ['kind'], (add) => {
      for (const kind of KINDS) add(this.#latencies[kind].sumMs / 1000, { kind });
    });
    this.#counter('headrace_answers_total', 'Answers by kind: cached, computed, batch', ['kind'], (add) => {
      for (const kind of KINDS) add(this.#latencies[kind].count, { kind });
    });
    this.#counter(
      'headrace_requests_total',
      'Messages and HTTP requests by outcome',
      ['edge', 'name', 'code'],
      (add) => {
        for (const [key, n] of this.#handled) {
          const [edge = '', name = '', code = ''] = key.split(' ');
          add(n, { edge, name, code });
        }
      },
    );
    this.#gauge('headrace_connections', 'Open WebSocket connections', [], (add) => add(this.#connections));
  }

  #cache({ cache }: MetricSources): void {
    this.#counter(
      'headrace_cache_lookups_total',
      'Look-ups by outcome: hit, miss, expired, dirty, stale',
      ['outcome'],
      (add) => {
        const { hits, misses, expired, dirty, stale } = cache().counters;
        for (const [outcome, n] of Object.entries({ hit: hits, miss: misses, expired, dirty, stale }))
          add(n, { outcome });
      },
    );
    this.#gauge('headrace_cache_hit_ratio', 'Hits in all look-ups since the start', [], (add) => {
      const { hits, misses, expired, dirty, stale } = cache().counters;
      const all = hits + misses + expired + dirty + stale;
      if (all > 0) add(hits / all);
    });
    this.#gauge('headrace_cache_entries', 'Rows in the cache', [], (add) => add(cache().size));
    this.#gauge('headrace_cache_bytes', 'Bytes of cached rows and their text', [], (add) => add(cache().bytes));
    this.#counter('headrace_cache_evictions_total', 'Rows that left the cache, by cause', ['cause'], (add) => {
      for (const [cause, n] of Object.entries(cache().counters.evictions)) add(n, { cause });
    });
  }

  #engine({ drift, alerts, log, freshness, push }: MetricSources): void {
    this.#gauge('headrace_drift_score', 'Seed score by feature', ['view', 'version', 'feature'], (add) => {
      for (const { view, version, feature, score } of drift()) {
        if (score !== null) add(score, { view, version, feature });
      }
    });
    this.#gauge('headrace_alerts_firing', 'Alerts that fire', ['name', 'severity'], (add) => {
      const counts = new Map<string, number>();
      for (const { name, severity } of alerts()) {
        const key = JSON.stringify({ name, severity });
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      for (const [labels, n] of counts) add(n, JSON.parse(labels));
    });
    this.#gauge('headrace_log_position', 'Durable head of the log', [], (add) => add(log().position));
    this.#gauge('headrace_log_inflight_bytes', 'Bytes of events between the edge and the disk', [], (add) =>
      add(log().inflightBytes),
    );
    this.#gauge('headrace_source_freshness_seconds', 'Engine time less the newest event', ['source'], (add) => {
      for (const { source, seconds } of freshness()) add(seconds, { source });
    });
    this.#gauge('headrace_topics', 'Topics that someone watches', [], (add) => add(push().sizes.topics));
    this.#gauge('headrace_watched_entities', 'Pairs of view and entity that someone watches', [], (add) =>
      add(push().sizes.watched),
    );
    this.#gauge('headrace_subscribers', 'Connections that watch something', [], (add) => add(push().sizes.subscribers));
    this.#counter('headrace_updates_total', 'Changes of a watched entity, one a topic', [], (add) =>
      add(push().counters.updates),
    );
    this.#counter('headrace_deliveries_total', 'Updates handed to connections', [], (add) =>
      add(push().counters.deliveries),
    );
  }

  #fleet({ fleet }: MetricSources): void {
    this.#counter(
      'headrace_feature_failures_total',
      'Values that are null since a Python feature failed',
      ['view', 'version', 'feature', 'reason'],
      (add) => {
        for (const { rows, view, version, feature, reason } of fleet().failures)
          add(rows, { view, version, feature, reason });
      },
    );
    this.#gauge('headrace_worker_state', '1 for the state that the worker is in', ['worker', 'state'], (add) => {
      for (const { slot, state } of fleet().workers) add(1, { worker: slot, state });
    });
    this.#counter('headrace_worker_restarts_total', 'Times that the worker was started again', ['worker'], (add) => {
      for (const { slot, restarts } of fleet().workers) add(restarts, { worker: slot });
    });
    this.#gauge('headrace_worker_resident_bytes', 'Resident size of the worker', ['worker'], (add) => {
      for (const { slot, usage } of fleet().workers) if (usage !== null) add(usage.rss_bytes, { worker: slot });
    });
    // A gauge, because a new process begins again at zero.
    this.#gauge('headrace_worker_cpu_seconds', 'CPU time of the running worker process', ['worker'], (add) => {
      for (const { slot, usage } of fleet().workers) if (usage !== null) add(usage.cpu_seconds, { worker: slot });
    });
    this.#gauge('headrace_worker_queue_jobs', 'Entities that wait for the worker', ['worker'], (add) => {
      for (const { slot, queue } of fleet().workers) add(queue, { worker: slot });
    });
    this.#gauge(
      'headrace_worker_lag_events',
      'Events in the log that the worker has not applied',
      ['worker'],
      (add) => {
        const { position, workers } = fleet();
        for (const worker of workers) add(Math.max(0, position - worker.position), { worker: worker.slot });
      },
    );
  }

  #gauge(name: string, help: string, labelNames: string[], collect: (add: Add) => void): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        collect((value, labels = {}) => this.set(labels, value));
      },
    });
  }

  #counter(name: string, help: string, labelNames: string[], collect: (add: Add) => void): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        collect((value, labels = {}) => this.inc(labels, value));
      },
    });
  }
}
