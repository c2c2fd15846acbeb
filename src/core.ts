/**
 * The rooms between the edges and what lies outside the process (disk, workers, threads), joined by callbacks. All that
 * acts on its own (clocks, link, store, randomness) is passed in, so that a simulation runs this very code.
 */
import { Alerts } from './alerts/alerts.ts';
import { FeatureCache } from './cache/cache.ts';
import { Upkeep } from './cache/upkeep.ts';
import { type Clock, EventClock, type Micros, type TimerHandle, type Timers, WallClock } from './clock.ts';
import type { Config } from './config.ts';
import { Drift, type Pool } from './drift/drift.ts';
import { Sampler } from './drift/sampler.ts';
import { type ErrorBody, HeadraceError } from './errors.ts';
import { Fleet } from './fleet/fleet.ts';
import type { Job } from './fleet/job.ts';
import type { Link } from './fleet/link.ts';
import type { Logger } from './fleet/logger.ts';
import type { Spawner } from './fleet/spawner.ts';
import { entityIdProblem } from './ingest/entity-id.ts';
import { Ingest } from './ingest/ingest.ts';
import { publish } from './ingest/publish.ts';
import { Push } from './push/push.ts';
import { allViews } from './registry/all-views.ts';
import { type Change, nameOf } from './registry/reload.ts';
import type { Registry, View } from './registry/view.ts';
import { Serve } from './serve/serve.ts';
import { Dictionaries } from './store/dictionaries.ts';
import type { AddedBatch, CommitGroup, SchemaSpec } from './store/log-row.ts';
import type { LogState, Store } from './store/store.ts';
import { RowWriters } from './values/json.ts';
import type { ComputedBlock } from './values/row.ts';
import { Touched } from './values/touched.ts';
import { Values } from './values/values.ts';
import { textFrame } from './ws/frame.ts';

/** No request has a later deadline: after so long nobody waits for a value of a view that is no more. */
const LEAVING_MS = 61_000;

export interface CoreParts {
  config: Config;
  registry: Registry;
  timers: Timers;
  /** 0 ≤ x < 1 */
  random: () => number;
  /** Runs a callback soon, after input and output that is ready. */
  defer: (callback: () => void) => void;
  logger: Logger;
  store: Store;
  /** The log as it was when it was opened. */
  state: LogState;
  link: Link;
  spawner: Spawner;
  pool: Pool;
  /** Resident size of the process, in bytes. */
  rss: () => number;
}

export class Core {
  readonly clock: Clock;
  readonly cache: FeatureCache;
  readonly writers = new RowWriters();
  readonly serve: Serve;
  readonly push: Push;
  readonly ingest: Ingest;
  readonly fleet: Fleet;
  readonly drift: Drift;
  readonly alerts: Alerts;
  /** Newest timestamp by source. */
  readonly newest: Map<string, Micros>;
  /** Why a text cannot be an entity id; null where it can. */
  readonly idProblem: (entityId: string) => string | null;
  readonly #eventClock: EventClock | null;
  readonly #dictionaries: Dictionaries;
  readonly #touched = new Touched();
  readonly #values: Values;
  readonly #sampler: Sampler;
  readonly #upkeep: Upkeep;
  readonly #store: Store;
  readonly #timers: Timers;
  #head: number;
  #registry: Registry;
  #schemas: Record<string, SchemaSpec>;
  /** Views of former registries, on which requests may be under way, with what ends that time. */
  readonly #leaving = new Map<View, TimerHandle>();

  constructor(parts: CoreParts) {
    const { config, registry, timers, state, store, random } = parts;
    this.#head = state.position;
    this.#registry = registry;
    this.#schemas = state.schemas;
    this.#store = store;
    this.#timers = timers;
    this.newest = new Map(Object.entries(state.newest));
    this.#eventClock = registry.clock.mode === 'event' ? new EventClock() : null;
    this.#eventClock?.advance(state.clock);
    this.clock = this.#eventClock ?? new WallClock(timers, state.clock);
    this.#dictionaries = new Dictionaries(state.dictionaries);
    this.idProblem = (entityId) => entityIdProblem(entityId, config.entity_id_bytes_max);
    const { clock } = this;
    const wallMicros = () => timers.wallMicros();
    const codes = {
      codeOf: (entity: string, entityId: string) => this.#dictionaries.codeOf(`@${entity}`, entityId),
    };
    const compute = (jobs: Job[]) => this.fleet.compute(jobs);
    const touched = this.#touched;

    this.cache = new FeatureCache({
      clock,
      touched,
      codes,
      writers: this.writers,
      entriesMax: config.cache_entries_max,
      bytesMax: config.cache_bytes_max,
    });
    this.#upkeep = new Upkeep(this.cache, {
      timers,
      purgeIntervalMs: config.cache_purge_interval_ms,
      guardBytes: config.memory_guard_bytes,
      rss: parts.rss,
    });
    this.#values = new Values({
      cache: this.cache,
      wallMicros,
      onRow: (row, code, changed) => {
        this.push.onRow(row, changed);
        this.drift.onRow(row, code);
      },
    });
    this.serve = new Serve({
      clock,
      timers,
      cache: this.cache,
      touched,
      codes,
      values: this.#values,
      head: () => this.#head,
      clockAt: (position) => store.clockAt(position),
      compute,
      idProblem: this.idProblem,
    });
    this.push = new Push({
      clock,
      clockMode: registry.clock.mode,
      timers,
      touched,
      codes,
      compute,
      peek: (view, entityId) => this.cache.peek(view, entityId),
      makeFrame: textFrame,
      defer: parts.defer,
    });
    this.ingest = new Ingest({
      registry: () => this.#registry,
      codes: this.#dictionaries,
      append: (batch) => store.append(batch),
      wallMicros,
      config,
    });
    this.fleet = new Fleet({
      config,
      clock,
      timers,
      random,
      link: parts.link,
      spawner: parts.spawner,
      registry,
      schemas: state.schemas,
      log: { path: state.path, shards: state.shards, position: state.position },
      codeOf: codes.codeOf,
      logger: parts.logger,
      events: {
        computed: (block, jobs, live) => this.#computed(block, jobs, live),
        failed: (jobs, error) => this.#failed(jobs, error),
        turn: () => this.push.flush(),
        changed: () => {},
      },
    });
    this.alerts = new Alerts({
      ringMax: config.alert_ring,
      past: state.alerts,
      store,
      onError: (error) => parts.logger.error({ err: error }, 'alerts could not be stored; they are tried again'),
    });
    this.#sampler = new Sampler({
      compute,
      idOf: (entity, code) => this.#dictionaries.valueOf(`@${entity}`, code),
      monotonicMs: () => timers.monotonicMs(),
    });
    this.drift = new Drift({
      config,
      clock,
      timers,
      views: [...registry.views.values()].flat(),
      pool: parts.pool,
      sample: (view, codesOf, done) => this.#sampler.sample(view, codesOf, done),
      alerts: this.alerts,
      random,
      onError: (error) => parts.logger.error({ err: error }, 'drift could not be scored'),
    });
  }

  /** Position of the newest durable event. */
  get head(): number {
    return this.#head;
  }

  /** The one that serves now. */
  get registry(): Registry {
    return this.#registry;
  }

  /**
   * Another registry takes over, within this turn: what is resolved after it finds all rooms ready for it. What was
   * resolved before is answered by the plans that it was resolved to.
   * @param schemas all of the log, those of the new sources included, which {@link Store.define} has written
   */
  takeOver({ registry, gone, renewed }: Change, schemas: Record<string, SchemaSpec>): void {
    this.#schemas = schemas;
    this.#registry = registry;
    for (const { view } of gone) this.#leave(view);
    this.#sendPlans();
    this.#store.use([...registry.sources.values()]);
    for (const { view, redefined } of gone) {
      this.push.end(view, redefined ? redefinition(view) : removal(view));
      this.cache.forget(view);
    }
    for (const view of renewed) this.push.renew(view);
    this.drift.reload([...registry.views.values()].flat());
    this.push.flush();
  }

  /** A transaction of the log is on disk: makes it visible, then answers for it. */
  committed(group: CommitGroup): void {
    publish(group, {
      dictionaries: {
        apply: (delta) => {
          this.#dictionaries.apply(delta);
          if (delta.name.startsWith('@')) this.push.named(delta.name.slice(1), delta.from, delta.values);
        },
      },
      clock: this.#eventClock,
      head: {
        advance: (position) => {
          this.#head = position;
        },
      },
      touched: {
        touch: (source, entity, codes, position) => {
          this.#touched.touch(source, entity, codes, position);
          this.drift.touch(source, entity, codes);
        },
      },
      jobs: (added) => this.#jobs(added),
      fleet: this.fleet,
      ingest: this.ingest,
    });
    this.serve.committed();
    this.drift.advance();
    this.push.flush();
  }

  close(): void {
    for (const timer of this.#leaving.values()) this.#timers.clearTimeout(timer);
    this.#leaving.clear();
    this.drift.stop();
    this.push.close();
    this.#upkeep.close();
  }

  #leave(view: View): void {
    const timer = this.#timers.setTimeout(() => {
      this.#leaving.delete(view);
      this.#sendPlans();
      // Rows of requests that were under way; unless the version has come back meanwhile.
      const { name, version, hash } = view;
      const isBack = (one: View) => one.name === name && one.version === version && one.hash === hash;
      if (!allViews(this.#registry).some(isBack)) this.cache.forget(view);
    }, LEAVING_MS);
    this.#leaving.set(view, timer);
  }

  #sendPlans(): void {
    this.fleet.reload(this.#registry, [...this.#leaving.keys()], this.#schemas);
  }

  #jobs(added: readonly AddedBatch[]): Job[] {
    for (const { source, newest } of added) {
      this.newest.set(source, Math.max(newest, this.newest.get(source) ?? Number.NEGATIVE_INFINITY));
    }
    return this.push.jobs(added);
  }

  #computed(block: ComputedBlock, jobs: Job[], live: boolean): void {
    // A row made for one request is nobody else's.
    if (live && !block.ofRequest) {
      this.#values.accept(
        block,
        jobs.map(({ code }) => code),
      );
    }
    this.serve.computed(block, jobs, live);
    this.push.computed(jobs);
    this.#sampler.returned(jobs);
  }

  #failed(jobs: Job[], error: ErrorBody): void {
    this.serve.failed(jobs, error);
    this.push.failed(jobs, error);
    this.#sampler.returned(jobs);
  }
}

const removal = (view: View): HeadraceError =>
  new HeadraceError(
    'version_removed',
    `${nameOf(view)} was removed from the registry; GET /registry tells what there is`,
  );

const redefinition = (view: View): HeadraceError =>
  new HeadraceError('definition_changed', `${nameOf(view)} has another definition now; subscribe again`);
