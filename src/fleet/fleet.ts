import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Clock, Timers } from '../clock.ts';
import type { Config } from '../config.ts';
import { ERRORS, type ErrorCode, HeadraceError } from '../errors.ts';
import { allViews } from '../registry/all-views.ts';
import type { Registry, View } from '../registry/view.ts';
import type { CommitGroup } from '../store/log-row.ts';
import type { ReloadHeader } from '../wire/frames.ts';
import { type GroupAnswer, selectRows } from './answer.ts';
import { shardOf } from './assignment.ts';
import { Crew } from './crew.ts';
import type { FleetEvents, Job } from './job.ts';
import { JobQueue } from './job-queue.ts';
import type { Link } from './link.ts';
import type { Logger } from './logger.ts';
import type { InFlight } from './outbox.ts';
import { type Slot, slotStatus } from './slot.ts';
import type { Spawner } from './spawner.ts';
import type { FleetStatus } from './status.ts';

export interface FleetOptions {
  config: Config;
  clock: Clock;
  timers: Timers;
  /** 0 ≤ x < 1 */
  random: () => number;
  link: Link;
  spawner: Spawner;
  registry: Registry;
  /** By schema id, as the log's `schemas` table has them. */
  schemas: ReloadHeader['schemas'];
  /** Path of the log's SQLite file, the data folder's number of shards, the head at the start. */
  log: { path: string; shards: number; position: number };
  /** Code of an entity id by now; −1: it has no events. */
  codeOf: (entity: string, entityId: string) => number;
  logger: Logger;
  events: FleetEvents;
}

/** A job that came back without a value so often is given up. */
const ATTEMPTS_MAX = 2;
const OVERLOADED_RETRY_MS = 100;

/**
 * The Python workers as one computer: jobs go in, blocks of rows come out.
 *
 * Each worker has one frame in flight; jobs and events that come meanwhile gather and leave together in the next. A job
 * goes to the slot that owns its entity's shard, and its row counts only if it comes back under that shard's lease.
 */
export class Fleet {
  /** Every shard has had an owner that takes work, for the first time. */
  readonly ready: Promise<void>;
  /** No worker could be started: each died too often before the fleet was ever ready. Resolves with why. */
  readonly failed: Promise<HeadraceError>;
  readonly #options: FleetOptions;
  readonly #crew: Crew;
  /** Jobs whose shard has no owner. */
  readonly #unowned = new JobQueue();
  #head: number;
  #lastFrame = 0;
  #pumping = false;
  #drained: Promise<void> | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#head = options.log.position;
    let wasReady = false;
    let becameReady = () => {};
    this.ready = new Promise((resolve) => {
      becameReady = resolve;
    });
    let fail: (why: HeadraceError) => void = () => {};
    this.failed = new Promise((resolve) => {
      fail = resolve;
    });
    this.#crew = new Crew({
      ...options,
      plans: plansOf(options.registry, [], options.schemas),
      size: options.config.workers || availableParallelism(),
      hooks: {
        head: () => this.#head,
        free: (slot) => this.#pumpSlot(slot),
        answered: (slot, answers, sent) => this.#answered(slot, answers, sent),
        lost: (slot, sent, reason) => this.#lost(slot, sent, reason),
        moved: (slots) => this.#moved(slots),
        changed: () => {
          if (this.isReady) {
            wasReady = true;
            becameReady();
          } else if (!wasReady && this.#crew.slots.every(({ worker }) => worker.broken)) {
            fail(this.#noWorkers());
          }
          options.events.changed();
        },
        tick: () => this.#tick(),
      },
    });
  }

  start(): Promise<void> {
    return this.#crew.start();
  }

  /** Every shard has an owner that takes work. */
  get isReady(): boolean {
    return this.#crew.complete;
  }

  /** Workers that take work. */
  get readyWorkers(): number {
    return this.#crew.slots.filter(({ worker }) => worker.state === 'ready').length;
  }

  /** Ask for values. Each job ends in exactly one of the events `computed` and `failed`, never within this call. */
  compute(jobs: readonly Job[]): void {
    if (this.#drained !== undefined) {
      this.#failDraining([...jobs]);
      return;
    }
    const waiting = this.#waiting();
    const room = Math.max(0, this.#options.config.pending_jobs_max - waiting);
    this.#fail(jobs.slice(room), 'overloaded', `${waiting} values wait to be computed; ask for fewer at a time`);
    for (const job of room < jobs.length ? jobs.slice(0, room) : jobs) this.#route(job);
    this.#schedulePump();
  }

  /** Pass on what a transaction has added to the log, with the watched entities among it. */
  apply(group: CommitGroup, jobs: readonly Job[]): void {
    this.#head = group.position;
    for (const { outbox } of this.#crew.slots) outbox.add(group);
    this.compute(jobs);
  }

  /**
   * Jobs may name the views of this registry from now on, and those of former ones that are named beside it.
   * @param schemas as in the options, those of the registry's sources included
   */
  reload(registry: Registry, former: readonly View[], schemas: ReloadHeader['schemas']): void {
    this.#crew.reload(plansOf(registry, former, schemas));
  }

  status(): FleetStatus {
    const { assignment, slots } = this.#crew;
    const nowMs = this.#options.timers.monotonicMs();
    return {
      ready: this.isReady,
      position: this.#head,
      shards: assignment.owners.length,
      workers: slots.map((slot) => slotStatus(slot, assignment, nowMs)),
      failures: this.#crew.failures.status(),
    };
  }

  /**
   * Lets the workers finish what was asked of them, ends them and closes the link. What is not done within `limitMs`
   * fails with `draining`, as does everything that is only watched.
   */
  drain(limitMs: number = this.#options.config.drain_ms): Promise<void> {
    this.#drained ??= this.#drain(limitMs);
    return this.#drained;
  }

  async #drain(limitMs: number): Promise<void> {
    for (const { worker, outbox } of this.#crew.slots) {
      this.#failDraining(worker.state === 'ready' ? outbox.jobs.takeWatched() : outbox.jobs.takeAll());
    }
    this.#failDraining(this.#unowned.takeAll());
    this.#schedulePump();
    await this.#crew.drain(limitMs);
    for (const { outbox } of this.#crew.slots) this.#failDraining(outbox.jobs.takeAll());
  }

  #noWorkers(): HeadraceError {
    const reason = this.#crew.slots.map(({ worker }) => worker.lastError).findLast((error) => error !== null);
    return new HeadraceError(
      'internal',
      `no Python worker starts: ${reason}; run make setup, or name another --python.`,
    );
  }

  // Out

  #waiting(): number {
    return this.#crew.slots.reduce((sum, { outbox }) => sum + outbox.jobs.length, this.#unowned.length);
  }

  #ownerOf(job: Job): Slot | undefined {
    const { owners } = this.#crew.assignment;
    return this.#crew.slots[owners[shardOf(job.code, owners.length)]!];
  }

  #route(job: Job): void {
    (this.#ownerOf(job)?.outbox.jobs ?? this.#unowned).push(job);
  }

  #moved(slots: readonly Slot[]): void {
    const jobs = slots.flatMap(({ outbox }) => outbox.jobs.takeAll());
    for (const job of [...jobs, ...this.#unowned.takeAll()]) this.#route(job);
    this.#schedulePump();
  }

  /** Frames are made when the turn's calls are over, so that all of them share one. */
  #schedulePump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      for (const slot of this.#crew.slots) this.#pumpSlot(slot);
    });
  }

  #pumpSlot(slot: Slot, tick = false): void {
    const { worker, outbox } = slot;
    if (slot.inFlight !== null || worker.state !== 'ready') return;
    this.#expire(outbox.jobs);
    if (this.#drained !== undefined && outbox.jobs.length === 0) {
      this.#crew.dismiss(slot);
      return;
    }
    const jobs = outbox.takeJobs().filter((job) => this.#stays(job, slot));
    if (jobs.length === 0 && !outbox.due(this.#head, tick)) return;
    const { frame, inFlight } = outbox.makeFrame(++this.#lastFrame, this.#head, this.#options.clock.now(), jobs);
    this.#crew.send(slot, frame, inFlight);
  }

  /** An entity may have had its first events since it was asked for: it has a code now, and perhaps another owner. */
  #stays(job: Job, slot: Slot): boolean {
    if (job.code >= 0) return true;
    job.code = this.#options.codeOf(job.view.plan.entity, job.entityId);
    if (this.#ownerOf(job) === slot) return true;
    this.#route(job);
    this.#schedulePump();
    return false;
  }

  // Back

  #answered(slot: Slot, answers: readonly GroupAnswer[], sent: InFlight): void {
    for (const answer of answers) this.#settle(slot, answer, sent.position);
    this.#options.events.turn();
  }

  /** Hands over the rows that count; the others' jobs are tried again. */
  #settle(slot: Slot, answer: GroupAnswer, sentPosition: number): void {
    const { jobs, at } = answer.sent;
    if (answer.block === null) {
      const { code, message } = answer.error;
      this.#options.events.failed(jobs, new HeadraceError(codeOrInternal(code), message).body());
      return;
    }
    const { block, leases } = answer;
    const current = this.#crew.assignment.leases;
    const behind = block.position < (at === null ? sentPosition : at.position);
    const counts = (job: Job, row: number) =>
      !behind && (job.code < 0 || leases[row] === current[shardOf(job.code, current.length)]);
    if (jobs.every(counts)) {
      slot.computed += block.n;
      this.#options.events.computed(block, jobs, at === null);
      return;
    }
    const rows = [...jobs.keys()].filter((row) => counts(jobs[row]!, row));
    const kept = rows.map((row) => jobs[row]!);
    const refused = jobs.filter((job, row) => !counts(job, row));
    slot.computed += rows.length;
    if (rows.length > 0) this.#options.events.computed(selectRows(block, rows), kept, at === null);
    this.#retry(refused, 'unavailable', "the entity's shard moved twice while its value was computed; ask again");
  }

  #lost(slot: Slot, sent: InFlight | null, reason: string): void {
    const jobs = sent?.groups.flatMap((group) => group.jobs) ?? [];
    if (this.#drained !== undefined) this.#failDraining([...jobs, ...slot.outbox.jobs.takeAll()]);
    else this.#retry(jobs, 'internal', `two workers died while they computed the value (${reason}); ask again`);
  }

  #retry(jobs: readonly Job[], code: ErrorCode, message: string): void {
    const givenUp: Job[] = [];
    for (const job of jobs) {
      job.attempts++;
      job.sentPosition = undefined;
      if (job.attempts < ATTEMPTS_MAX) this.#route(job);
      else givenUp.push(job);
    }
    this.#fail(givenUp, code, message);
    this.#schedulePump();
  }

  #tick(): void {
    this.#expire(this.#unowned);
    for (const slot of this.#crew.slots) {
      this.#expire(slot.outbox.jobs);
      this.#pumpSlot(slot, true);
    }
  }

  #expire(queue: JobQueue): void {
    const expired = queue.expire(this.#options.timers.monotonicMs());
    this.#fail(expired, 'unavailable', 'no value could be had within the deadline; ask again or allow more time');
  }

  #failDraining(jobs: Job[]): void {
    this.#fail(jobs, 'draining', 'the server is shutting down; ask another one');
  }

  /** Told after the call that caused it, so that whoever asks never hears the answer before the call returns. */
  #fail(jobs: Job[], code: ErrorCode, message: string): void {
    if (jobs.length === 0) return;
    const details = code === 'overloaded' ? { retryAfterMs: OVERLOADED_RETRY_MS } : {};
    const error = new HeadraceError(code, message, details).body();
    queueMicrotask(() => {
      this.#options.events.failed(jobs, error);
      this.#options.events.turn();
    });
  }
}

function plansOf(registry: Registry, former: readonly View[], schemas: ReloadHeader['schemas']): ReloadHeader {
  const views = [...former, ...allViews(registry)];
  return {
    plans: Object.fromEntries(views.map(({ hash, plan }) => [hash, plan])),
    schemas,
    folder: dirname(resolve(registry.path)),
  };
}

const codeOrInternal = (code: string): ErrorCode => (Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'internal');
