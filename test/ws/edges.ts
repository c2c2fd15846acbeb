/** Both edges on one real server, over functions made by hand in the place of the engine. */
import { pino } from 'pino';
import { systemTimers } from '../../src/clock.ts';
import { type Config, defaultConfig } from '../../src/config.ts';
import { HeadraceError } from '../../src/errors.ts';
import type { FleetStatus } from '../../src/fleet/status.ts';
import { type HttpEdge, httpEdge } from '../../src/http/app.ts';
import { hostGuard } from '../../src/http/host.ts';
import type { Sink } from '../../src/push/sink.ts';
import { describeRegistry } from '../../src/registry/describe.ts';
import type { Registry, View } from '../../src/registry/view.ts';
import type { Query } from '../../src/serve/query.ts';
import type { BatchKey, IngestAnswer } from '../../src/store/log-row.ts';
import type { RegistryAnswer } from '../../src/wire/bodies.ts';
import type { Answer, EdgeMetrics, Reply, Service, SubscribeRequest } from '../../src/wire/service.ts';
import { WebSocketEdge } from '../../src/ws/server.ts';

export const VIEW: View = {
  name: 'airport_delay',
  version: 'v1',
  hash: '0123456789abcdef',
  plan: {
    entity: 'airport',
    sources: [],
    features: [
      {
        name: 'departures_1h',
        type: 'statistical',
        output: 'int64',
        source: 'departures',
        aggregation: 'count',
        window: { time: 3.6e9 },
      },
      { name: 'delay_z', type: 'expression', output: 'float64', expression: 1 },
    ],
    order: [0, 1],
  },
  features: [
    { name: 'departures_1h', output: 'int64' },
    { name: 'delay_z', output: 'float64' },
  ],
  request: [{ name: 'hour', output: 'int64' }],
  deprecated: '2026-01-31',
  ttl: 300e6,
  exact: false,
  updateAgeOnGet: false,
  staleWhileRevalidate: 0,
  history: 170 * 86_400e6,
  description: 'Delays',
};

const REGISTRY: Registry = {
  project: 'flights',
  clock: { mode: 'event', sources: null },
  entities: new Map([['airport', { description: 'An airport' }]]),
  sources: new Map([
    [
      'departures',
      {
        name: 'departures',
        keys: [{ entity: 'route', template: ['', 'origin', '-', 'destination', ''] }],
        timestamp: 'date',
        fields: [{ name: 'delay', type: 'float' }],
        lateness: 86_400e6,
        maxAhead: 86_400e6,
        retention: 31 * 86_400e6,
        history: 170 * 86_400e6,
      },
    ],
  ]),
  views: new Map([['airport_delay', [VIEW]]]),
  services: new Map(),
  path: 'features.yaml',
};

const FLEET: FleetStatus = {
  ready: true,
  position: 7,
  shards: 64,
  failures: [],
  workers: [
    {
      slot: 0,
      identity: 'w0.1',
      pid: 1,
      state: 'ready',
      shards: [0, 1],
      position: 5,
      loading: null,
      queue: 0,
      queue_bytes: 0,
      in_flight_ms: null,
      restarts: 2,
      last_error: null,
      loaded_rows: 0,
      computed: 0,
      usage: { cpu_seconds: 1.5, rss_bytes: 1000 },
    },
  ],
};

const ID_BYTES_MAX = 512;

/** The view's only feature of a request. */
const HOUR = { features: [0], order: [0], inputs: [], askedAt: 0, fleet: false };

export function rowText(entityId: string, revision = 1): string {
  return JSON.stringify({
    entity_id: entityId,
    features: { departures_1h: 3, delay_z: null },
    revision,
    as_of: '2001-06-24T00:01:00.000000Z',
    position: 7,
    event_time: null,
    computed_at: '2026-01-01T00:00:00.000000Z',
    valid_until: null,
    cached: false,
  });
}

function entityText(id: string): string {
  if (id !== '' && Buffer.byteLength(id) <= ID_BYTES_MAX) return rowText(id);
  return JSON.stringify({ entity_id: id, error: { code: 'invalid_entity_id', message: 'empty or too long' } });
}

export interface Taken {
  source: string;
  events: unknown;
  key: BatchKey | null;
}

/** The engine as the edges see it, with switches for the tests. */
export class Handmade implements Service {
  epoch = 'e1';
  server = 'headrace/0.1.0';
  /** Ids answered at once by `hot`. */
  readonly cached = new Set<string>();
  /** Answers of requests wait until {@link release} where set. */
  held: (() => void)[] | null = null;
  /** Rows come as bytes, as from a thread. */
  bytes = false;
  /** The next ingests are refused with this. */
  refuse: HeadraceError[] = [];
  readonly taken: Taken[] = [];
  readonly subscriptions: { sink: Sink; request: SubscribeRequest }[] = [];
  readonly closedSinks: Sink[] = [];
  drainedCount = 0;
  alertSink: Sink | null = null;
  isReady = true;
  isDeprecated = false;
  position = 0;

  release(): void {
    for (const send of this.held ?? []) send();
    this.held = null;
  }

  features: Service['features'] = {
    resolve: (request): Query => {
      if (request.view !== undefined && request.view !== VIEW.name) {
        throw new HeadraceError('unknown_view', `no view is called ${request.view}; there is ${VIEW.name}`);
      }
      if (request.version !== undefined && request.version !== 'v1') {
        throw new HeadraceError('unknown_version', `${request.version}; there is v1`);
      }
      const known = [...VIEW.features, ...VIEW.request];
      const unknown = request.features?.find((name) => !known.some((feature) => feature.name === name));
      if (unknown !== undefined) throw new HeadraceError('unknown_feature', `no feature is called ${unknown}`);
      if (request.as_of === 'yesterday') throw new HeadraceError('invalid_time', 'as_of is "yesterday"');
      return {
        view: VIEW,
        select: null,
        entityIds: request.entity_ids,
        timeoutMs: request.timeout_ms ?? 5000,
        asOf: null,
        position: request.position ?? null,
        minPosition: request.min_position ?? 0,
        request: request.features?.includes('hour') ? HOUR : undefined,
        service: request.service,
        deprecated: this.isDeprecated ? VIEW.deprecated! : undefined,
      };
    },
    hot: (query) =>
      query.entityIds.length === 1 && this.cached.has(query.entityIds[0]!)
        ? rowText(query.entityIds[0]!).replace('"cached":false', '"cached":true')
        : null,
    answer: (query, done) => this.#answer(query, done),
  };

  #answer(query: Query, done: Reply<Answer>): void {
    const send = (): void => {
      if (query.entityIds[0] === 'unavailable') {
        done(new HeadraceError('unavailable', 'no worker', { retryAfterMs: 1500 }), null);
        return;
      }
      if (query.entityIds[0] === 'broken') throw new Error('a bug');
      const text = `[${query.entityIds.map(entityText).join(',')}]`;
      const failed = (JSON.parse(text) as { error?: Answer['failed'] }[])[0]?.error;
      done(null, {
        rows: this.bytes ? Buffer.from(text) : text,
        state: query.entityIds[0] === 'old' ? 'stale' : 'computed',
        failed: query.entityIds.length === 1 && failed ? { ...failed, temporary: false } : null,
      });
    };
    if (this.held === null) send();
    else this.held.push(send);
  }

  #take(source: string, events: unknown, n: number, key: BatchKey | null, done: Reply<IngestAnswer>): void {
    const refusal = this.refuse.shift();
    if (refusal !== undefined) {
      done(refusal, null);
      return;
    }
    if (source !== 'departures') {
      done(new HeadraceError('unknown_source', `no source is called ${source}; there is departures`), null);
      return;
    }
    this.taken.push({ source, events, key });
    const rejected: IngestAnswer['rejected'] = [];
    if (Array.isArray(events)) {
      events.forEach((event, index) => {
        if (typeof event !== 'object') rejected.push({ index, code: 'not_an_object', message: 'no object' });
      });
    }
    this.position += n - rejected.length;
    const answer = { position: this.position, accepted: n - rejected.length, late: 0, duplicate: 0, rejected };
    setImmediate(() => done(null, answer));
  }

  ingest: Service['ingest'] = {
    rows: (source, events, key, done) => this.#take(source, events, events.length, key, done),
    columns: (source, columns, key, done) => this.#take(source, columns, Object.values(columns)[0]!.length, key, done),
    table: (source, batch, key, done) => this.#take(source, batch, batch.numRows, key, done),
    lastBatch: (source, producer, done) => {
      if (source !== 'departures') done(new HeadraceError('unknown_source', source), null);
      else if (producer === 'replay') {
        done(null, { batch: '0:7', chunk: 0, position: 42, accepted: 5 });
      } else done(null, null);
    },
  };

  push: Service['push'] = {
    subscribe: (sink, request, done) => {
      this.subscriptions.push({ sink, request });
      const ids = request.query.entityIds.filter((id) => id !== '');
      done(null, {
        topic: 1,
        epoch: this.epoch,
        resumed: request.resume?.epoch === this.epoch,
        rows: request.snapshot ? `[${ids.map(entityText).join(',')}]` : '[]',
        rejected: request.query.entityIds.includes('')
          ? [{ entity_id: '', code: 'invalid_entity_id', message: 'empty' }]
          : [],
      });
    },
    unsubscribe: (_sink, topic) => {
      if (topic !== 1) throw new HeadraceError('unknown_topic', `this connection has no topic ${topic}`);
    },
    drained: () => {
      this.drainedCount++;
    },
    closed: (sink) => {
      this.closedSinks.push(sink);
    },
  };

  alerts: Service['alerts'] = {
    watch: (sink, { resume }) => {
      this.alertSink = sink;
      const missed = resume === null ? [] : [{ type: 'alert' as const, epoch: 'a1', offset: 2, alert: { name: 'x' } }];
      return { epoch: 'a1', offset: 2, resumed: resume !== null, firing: [], missed };
    },
    answer: () => ({ epoch: 'a1', offset: 2, firing: [], recent: [] }),
  };

  status: Service['status'] = {
    registry: () => describeRegistry(REGISTRY) as RegistryAnswer,
    fleet: () => FLEET,
    drift: () => ({ as_of: null, interval_ms: 60_000, views: [], features: [] }),
    ready: () =>
      this.isReady
        ? { ready: true, reasons: [], position: 7 }
        : { ready: false, reasons: ['no worker has its shards'], position: 7 },
  };

  registry: Service['registry'] = {
    reload: (force, done) => {
      if (force) done(null, { position: 7, added: [], removed: [], changed: ['v@v1'], unchanged: [], sources: [] });
      else done(new HeadraceError('invalid_registry', 'it has a problem', { data: { problems: [] } }), null);
    },
  };
}

export class Counts implements EdgeMetrics {
  readonly kinds: string[] = [];
  readonly outcomes: string[] = [];
  connections = 0;

  answered(kind: string): void {
    this.kinds.push(kind);
  }

  handled(edge: string, name: string, code: string): void {
    this.outcomes.push(`${edge} ${name} ${code}`);
  }

  ingested(source: string, answer: IngestAnswer): void {
    this.outcomes.push(`ingested ${source} ${answer.accepted}`);
  }

  connected(delta: 1 | -1): void {
    this.connections += delta;
  }
}

export interface Edges {
  port: number;
  service: Handmade;
  counts: Counts;
  ws: WebSocketEdge;
  http: HttpEdge;
  url: string;
  startDraining(): void;
  close(): Promise<void>;
}

export async function openEdges(options: Partial<Config> = {}): Promise<Edges> {
  const service = new Handmade();
  const counts = new Counts();
  const config: Config = { ...defaultConfig(), port: 0, ...options };
  let draining = false;
  const log = pino({ level: 'silent' });
  const shared = { service, config, metrics: counts, timers: systemTimers, log };
  const admit = hostGuard();
  const http = httpEdge(
    { ...shared, metricsText: () => Promise.resolve('headrace_up 1\n'), draining: () => draining },
    admit,
  );
  const ws = new WebSocketEdge({ ...shared, random: () => 0.5 }, admit);
  ws.attach(http.app.server);
  const port = await http.listen();
  return {
    port,
    service,
    counts,
    ws,
    http,
    url: `http://127.0.0.1:${port}`,
    startDraining: () => {
      draining = true;
    },
    close: async () => {
      await ws.drain(500);
      await http.close(500);
    },
  };
}
