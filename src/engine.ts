/** Builds the rooms, the store, the link and the edges; starts and stops them in order. */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Logger } from 'pino';
import { Piscina } from 'piscina';
import { type Micros, systemTimers } from './clock.ts';
import type { Config } from './config.ts';
import { Core } from './core.ts';
import { PythonSpawner } from './fleet/python-spawner.ts';
import { ZmqLink } from './fleet/zmq-link.ts';
import { httpEdge } from './http/app.ts';
import { assertHost, hostGuard } from './http/host.ts';
import { type Loaded, type LoadOptions, loadFile } from './ingest/load.ts';
import { Metrics } from './observe/metrics.ts';
import { subscriptionService } from './push/subscription-service.ts';
import { findPython } from './python.ts';
import { describeRegistry } from './registry/describe.ts';
import type { LoadedRegistry } from './registry/load-thread.ts';
import type { Registry } from './registry/view.ts';
import { Reloads } from './reload.ts';
import { featureService } from './serve/feature-service.ts';
import { Replies } from './serve/replies.ts';
import { StoreThread } from './store/client.ts';
import type { Durability } from './store/store.ts';
import type { Readiness, ReloadAnswer } from './wire/bodies.ts';
import { asHeadraceError } from './wire/checks.ts';
import type { Service } from './wire/service.ts';
import { WebSocketEdge } from './ws/server.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** How long after the drain's deadline connections and workers get before they are cut off. */
const CUT_OFF_MS = 500;

const LOAD_THREAD = new URL(
  import.meta.url.endsWith('.ts') ? './registry/load-thread.ts' : './registry/load-thread.js',
  import.meta.url,
).href;

export interface EngineOptions {
  /** Take view versions whose definition is another one than when they were first served. */
  forceDefinitions?: boolean;
}

export interface Engine {
  /** `http://HOST:PORT`; WebSockets are at its `/ws`. */
  url: string;
  /** Position of the newest durable event. */
  readonly position: number;
  /** Every shard has an owner that takes work. */
  fleetReady: Promise<void>;
  /**
   * Reads the registry's file again, and lets it take over where it is right.
   *
   * @param force take changed definitions under unchanged versions
   * @throws HeadraceError `invalid_registry` or `store_unavailable`, and then the one before serves on
   */
  reload(force?: boolean): Promise<ReloadAnswer>;
  /** Brings a file into the log; the engine is not ready meanwhile. */
  load(options: Omit<LoadOptions, 'python'>): Promise<Loaded>;
  /** It cannot go on, for the store broke or no worker could be started: resolves with why. */
  failed: Promise<Error>;
  /** Answers what is under way, commits what is queued, ends the workers. */
  stop(): Promise<void>;
}

/**
 * @throws HeadraceError where the host, the data folder or the port cannot be used
 * @throws RegistryError where the registry defines a version otherwise than it was
 */
export async function startEngine(
  config: Config,
  declared: Registry,
  logger: Logger,
  { forceDefinitions = false }: EngineOptions = {},
): Promise<Engine> {
  assertHost(config);
  const python = findPython(config.python);
  const timers = systemTimers;
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  let core!: Core;
  const { store, state } = await StoreThread.open(
    {
      folder: config.data,
      shards: config.shards,
      durability: config.durability as Durability,
      commitBytesMax: config.commit_bytes_max,
      batchKeyDays: config.batch_key_days,
      alertRing: config.alert_ring,
      sources: [...declared.sources.values()],
      clock: declared.clock,
    },
    {
      committed: (group) => {
        metrics.committed(group.commit_ms);
        core.committed(group);
      },
      warning: (error) => logger.warn({ err: error }, 'upkeep of the log failed; it is tried again'),
      failed: (error) => fail(error),
    },
  );
  const load = async (path: string): Promise<LoadedRegistry> =>
    pool.run({ path, python: config.python }, { filename: LOAD_THREAD });
  const reloads = new Reloads({ store, state, load, logger });
  const registry = await reloads.begin(declared, forceDefinitions).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  const reload = (force = false) => reloads.reload(core, force);
  const pool = new Piscina({ minThreads: 1, maxThreads: config.threads, idleTimeout: 60_000 });
  core = new Core({
    config,
    registry,
    timers,
    random: Math.random,
    defer: setImmediate,
    logger,
    store,
    state,
    link: new ZmqLink(),
    spawner: new PythonSpawner(python, logger),
    pool,
    rss: () => process.memoryUsage.rss(),
  });
  const metrics = new Metrics(metricSources(core, store), timers);
  const status = { loading: null as string | null, draining: false };
  const service = makeService(core, store, pool, config, reload, status, logger);
  const admit = hostGuard();
  const context = { service, config, metrics, timers, log: logger };
  const ws = new WebSocketEdge({ ...context, random: Math.random }, admit);
  const http = httpEdge({ ...context, metricsText: () => metrics.text(), draining: () => status.draining }, admit);
  ws.attach(http.app.server);
  const stop = async (): Promise<void> => {
    status.draining = true;
    await Promise.all([reloads.close(), http.close(config.drain_ms), ws.drain(config.drain_ms)]);
    await core.fleet.drain(CUT_OFF_MS);
    core.close();
    await store.close();
    await pool.destroy();
  };
  void core.fleet.failed.then(fail);
  await core.fleet.start();
  const port = await http.listen().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  void core.fleet.ready.then(() => core.drift.start());

  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    get position() {
      return core.head;
    },
    fleetReady: core.fleet.ready,
    failed,
    reload,
    async load(options) {
      const { onProgress } = options;
      status.loading = `${options.file} is being loaded`;
      try {
        return await loadFile(
          {
            ...options,
            python,
            onProgress: (rows, total, exact) => {
              status.loading = `${options.file} is being loaded: ${rows} of ${exact ? '' : 'about '}${total} events`;
              onProgress?.(rows, total, exact);
            },
          },
          { ingest: core.ingest, lastBatch: (source, producer) => store.lastBatch(source, producer) },
        );
      } finally {
        status.loading = null;
      }
    },
    stop,
  };
}

interface Status {
  /** What is being loaded; null: nothing. */
  loading: string | null;
  draining: boolean;
}

function makeService(
  core: Core,
  store: StoreThread,
  pool: Piscina,
  config: Config,
  reload: (force: boolean) => Promise<ReloadAnswer>,
  status: Status,
  logger: Logger,
): Service {
  const epoch = randomUUID();
  const replies = new Replies({
    pool,
    writers: core.writers,
    kept: (row) => core.cache.keptText(row),
    largeReplyBytes: config.large_reply_bytes,
  });
  return {
    epoch,
    server: `headrace/${version}`,
    features: featureService({
      registry: () => core.registry,
      clock: core.clock,
      wallMicros: () => systemTimers.wallMicros(),
      logger,
      serve: core.serve,
      replies,
      timeoutMs: config.timeout_ms,
    }),
    ingest: {
      rows: (source, events, key, done) => core.ingest.rows(source, events, key, done),
      columns: (source, columns, key, done) => core.ingest.columns(source, columns, key, done),
      table: (source, batch, key, done) => core.ingest.table(source, batch, key, done),
      lastBatch(source, producer, done) {
        store.lastBatch(source, producer).then(
          (last) => done(null, last),
          (error: unknown) => done(asHeadraceError(error), null),
        );
      },
    },
    push: subscriptionService({
      push: core.push,
      get: (query, collector, done) => core.serve.get(query, collector, done),
      replies,
      epoch,
      config,
      idProblem: core.idProblem,
      alsoClosed: (sink) => core.alerts.unwatch(sink),
    }),
    alerts: core.alerts,
    status: {
      registry: () => describeRegistry(core.registry),
      fleet: () => core.fleet.status(),
      drift: () => core.drift.status(),
      ready: () => readiness(core, status),
    },
    registry: {
      reload(force, done) {
        reload(force).then(
          (answer) => done(null, answer),
          (error: unknown) => done(asHeadraceError(error), null),
        );
      },
    },
  };
}

function readiness(core: Core, { loading, draining }: Status): Readiness {
  const reasons: string[] = [];
  if (draining) reasons.push('the server is shutting down');
  if (loading !== null) reasons.push(loading);
  if (!core.fleet.isReady) reasons.push(`${core.fleet.readyWorkers} workers are ready, and some shards have no owner`);
  return { ready: reasons.length === 0, reasons, position: core.head };
}

function metricSources(core: Core, store: StoreThread): ConstructorParameters<typeof Metrics>[0] {
  const secondsSince = (newest: Micros) => (core.clock.now() - newest) / 1e6;
  return {
    cache: () => ({ counters: core.cache.counters, size: core.cache.size, bytes: core.cache.bytes }),
    drift: () => core.drift.status().features,
    alerts: () => core.alerts.firing(),
    fleet: () => core.fleet.status(),
    log: () => ({ position: core.head, inflightBytes: store.bytesInFlight }),
    freshness: () =>
      [...core.newest]
        .filter(([source]) => core.registry.sources.has(source))
        .map(([source, newest]) => ({ source, seconds: secondsSince(newest) })),
    push: () => core.push,
  };
}
