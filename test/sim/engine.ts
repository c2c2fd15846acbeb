/** The real rooms over the parts of the simulation: virtual time, model workers, a log in memory's own file system. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TimerHandle, Timers } from '../../src/clock.ts';
import { type Config, defaultConfig } from '../../src/config.ts';
import { Core } from '../../src/core.ts';
import scoreThread, { type ScoreResult, type ScoreTask } from '../../src/drift/score-thread.ts';
import { subscriptionService } from '../../src/push/subscription-service.ts';
import type { Registry, Source, View } from '../../src/registry/view.ts';
import { Reloads, type Served } from '../../src/reload.ts';
import { Replies } from '../../src/serve/replies.ts';
import { LocalStore } from '../../src/store/local.ts';
import type { Batch, CommitGroup } from '../../src/store/log-row.ts';
import type { NewRegistry, Store } from '../../src/store/store.ts';
import type { PushService } from '../../src/wire/service.ts';
import { Crew, type CrewWeather } from './crew.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface EngineParts {
  folder: string;
  config: Partial<Config>;
  registry: Registry;
  time: VirtualTime;
  random: Random;
  weather: CrewWeather;
  /** Longest duration of a transaction. */
  commitMsMax: number;
  /** A batch has left for the log: it may be lost on its way, but keeps its place. */
  appended: (batch: Batch) => void;
  /** A transaction is in the file. The engine hears of it later, or never. */
  written: (group: CommitGroup) => void;
  trace: (line: string) => void;
  fail: (why: string) => void;
  /** These views are served no more from the turn of this call on. */
  ending: (views: View[]) => void;
  epoch: string;
}

/** The timers of one start of the engine: they end with it. */
class OwnTimers implements Timers {
  readonly pending = new Set<TimerHandle>();
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  monotonicMs(): number {
    return this.#time.monotonicMs();
  }

  wallMicros(): number {
    return this.#time.wallMicros();
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const handle = this.#time.setTimeout(() => {
      this.pending.delete(handle);
      callback();
    }, delayMs);
    this.pending.add(handle);
    return handle;
  }

  clearTimeout(handle: TimerHandle): void {
    this.pending.delete(handle);
    this.#time.clearTimeout(handle);
  }

  end(): void {
    for (const handle of this.pending) this.#time.clearTimeout(handle);
    this.pending.clear();
  }
}

/** The way from the engine to its log: batches keep their order, and are lost where the engine dies. */
class Passage implements Store {
  readonly store: LocalStore;
  readonly #waiting: (Batch | Source[])[] = [];
  readonly #appended: (batch: Batch) => void;
  readonly #later: (callback: () => void) => void;

  constructor(store: LocalStore, appended: (batch: Batch) => void, later: (callback: () => void) => void) {
    this.store = store;
    this.#appended = appended;
    this.#later = later;
  }

  get bytesInFlight(): number {
    return this.store.bytesInFlight;
  }

  append(batch: Batch): void {
    this.#appended(batch);
    this.#waiting.push(batch);
    this.#later(() => this.#arrive());
  }

  use(sources: Source[]): void {
    this.#waiting.push(sources);
    this.#later(() => this.#arrive());
  }

  define(registry: NewRegistry): ReturnType<Store['define']> {
    return this.store.define(registry);
  }

  #arrive(): void {
    const next = this.#waiting.shift()!;
    if (Array.isArray(next)) this.store.use(next);
    else this.store.append(next);
  }

  clockAt(position: number): Promise<number> {
    return this.store.clockAt(position);
  }

  lastBatch(source: string, producer: string): ReturnType<Store['lastBatch']> {
    return this.store.lastBatch(source, producer);
  }

  appendAlerts(bodies: string[]): Promise<number> {
    return this.store.appendAlerts(bodies);
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

/** One start of the engine. */
export class Engine {
  readonly core: Core;
  readonly crew: Crew;
  readonly service: PushService;
  readonly epoch: string;
  readonly timers: OwnTimers;
  dead = false;
  /** What stands in the registry's file. */
  #file: Registry;
  readonly #reloads: Reloads;
  readonly #ending: EngineParts['ending'];
  readonly #store: LocalStore;
  readonly #reader: DatabaseSync;
  /** Turns of the log that are due. */
  readonly #turns = new Set<() => void>();

  constructor(parts: EngineParts) {
    const { time, random, registry, fail, trace } = parts;
    const config: Config = { ...defaultConfig(), ...parts.config };
    this.epoch = parts.epoch;
    this.timers = new OwnTimers(time);
    const inOrder = this.#inOrder(time, random);
    const { store, state } = LocalStore.open(
      {
        folder: parts.folder,
        shards: config.shards,
        durability: 'normal',
        commitBytesMax: config.commit_bytes_max,
        batchKeyDays: config.batch_key_days,
        alertRing: config.alert_ring,
        sources: [...registry.sources.values()],
        clock: registry.clock,
        schedule: (turn) => {
          const once = () => {
            if (this.#turns.delete(once)) turn();
          };
          this.#turns.add(once);
          time.setTimeout(once, random.skewed(0.05, parts.commitMsMax));
        },
      },
      {
        committed: (group) => {
          parts.written(group);
          inOrder(() => this.core.committed(group));
        },
        warning: (error) => fail(`the log warns: ${error.message}`),
        failed: (error) => fail(`the log failed: ${error.message}`),
      },
    );
    this.#store = store;
    this.#file = registry;
    this.#ending = parts.ending;
    this.#reader = new DatabaseSync(join(parts.folder, 'log.db'), { readOnly: true });
    this.crew = new Crew(time, random.fork(), this.#reader, parts.weather, trace);
    const log = (level: string) => (fields: object, message: string) => {
      trace(
        `${level}: ${message} ${JSON.stringify(fields, (_, value) => (value instanceof Error ? value.message : value))}`,
      );
    };
    const pool = {
      run: (task: ScoreTask) =>
        new Promise<ScoreResult>((resolve) => {
          this.timers.setTimeout(() => resolve(scoreThread(task)), random.skewed(0.1, 50));
        }),
    };
    this.core = new Core({
      config,
      registry,
      timers: this.timers,
      random: random.fork().next,
      defer: (callback) => void this.timers.setTimeout(callback, 0),
      logger: { debug: () => {}, info: () => {}, warn: log('warn'), error: log('error') },
      store: new Passage(store, parts.appended, this.#inOrder(time, random)),
      state,
      link: this.crew,
      spawner: this.crew,
      pool,
      rss: () => (random.chance(0.3) ? Number.MAX_SAFE_INTEGER : 0),
    });
    this.#reloads = new Reloads({
      store,
      state,
      // As from a thread: later, and with objects of its own.
      load: () =>
        new Promise((resolve) => {
          this.timers.setTimeout(() => resolve({ registry: structuredClone(this.#file) }), random.skewed(0.1, 300));
        }),
      logger: { debug: () => {}, info: () => {}, warn: log('warn'), error: log('error') },
    });
    const { core } = this;
    this.service = subscriptionService({
      push: core.push,
      get: (query, collector, done) => core.serve.get(query, collector, done),
      replies: new Replies({
        pool: { run: () => Promise.reject(new Error('there are no threads')) },
        writers: core.writers,
        kept: (row) => core.cache.keptText(row),
        largeReplyBytes: Number.MAX_SAFE_INTEGER,
      }),
      epoch: this.epoch,
      config,
      idProblem: core.idProblem,
      alsoClosed: (sink) => core.alerts.unwatch(sink),
    });
    void core.fleet.start();
    void core.fleet.ready.then(() => this.dead || core.drift.start());
  }

  /** The file of the registry is another, and is read again. Resolves once it serves. */
  async reload(registry: Registry): Promise<void> {
    this.#file = registry;
    const { core } = this;
    const served: Served = {
      get registry() {
        return core.registry;
      },
      newest: core.newest,
      takeOver: (change, schemas) => {
        if (this.dead) return;
        this.#ending(change.gone.map(({ view }) => view));
        core.takeOver(change, schemas);
      },
    };
    await this.#reloads.reload(served, true);
  }

  /** The engine's process dies: what was on its way to the log is lost, what had reached the log may yet be written. */
  crash(): void {
    this.dead = true;
    this.timers.end();
    this.crew.end();
    this.closeLog();
  }

  closeLog(): void {
    void this.#store.close();
    while (this.#turns.size > 0) for (const turn of [...this.#turns]) turn();
    this.#reader.close();
  }

  /** Runs callbacks one after the other, each a little later; none once the engine is dead. */
  #inOrder(time: VirtualTime, random: Random): (callback: () => void) => void {
    let lastMs = 0;
    return (callback) => {
      const nowMs = time.monotonicMs();
      lastMs = Math.max(lastMs, nowMs + random.skewed(0, 5));
      time.setTimeout(() => this.dead || callback(), lastMs - nowMs);
    };
  }
}
