import { availableParallelism } from 'node:os';
import type { Clock, TimerHandle, Timers } from '../clock.ts';
import type { Config } from '../config.ts';
import { ERRORS, type ErrorCode, HeadraceError } from '../errors.ts';
import type { Registry } from '../registry/view.ts';
import type { CommitGroup } from '../store/log-row.ts';
import { decodeFrame, encodeFrame, type Frame, type ReloadHeader, type ValuesHeader } from '../wire/frames.ts';
import { type GroupAnswer, readAnswers, selectRows } from './answer.ts';
import { type Assignment, changedSlots, reassign, shardOf, shardsOf, unassigned } from './assignment.ts';
import type { FleetEvents, Job } from './job.ts';
import { JobQueue } from './job-queue.ts';
import type { Link } from './link.ts';
import type { Logger } from './logger.ts';
import { Outbox } from './outbox.ts';
import { type Slot, slotStatus } from './slot.ts';
import type { Spawner } from './spawner.ts';
import type { FleetStatus } from './status.ts';
import { Worker } from './worker.ts';

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

/** How often deadlines and the workers' progress are looked at. */
const TICK_MS = 100;
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
  /** Every shard has an owner that takes work, for the first time. */
  readonly ready: Promise<void>;
  readonly #options: FleetOptions;
  readonly #slots: Slot[];
  readonly #byIdentity = new Map<string, Slot>();
  #assignment: Assignment;
  /** Jobs whose shard has no owner. */
  readonly #unowned = new JobQueue();
  #head: number;
  #lastFrame = 0;
  #pumping = false;
  #draining = false;
  #tick: TimerHandle;
  #becameReady!: () => void;
  #allStopped: () => void = () => {};

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#head = options.log.position;
    this.ready = new Promise((resolve) => {
      this.#becameReady = resolve;
    });
    const count = options.config.workers || availableParallelism();
    this.#slots = Array.from({ length: count }, (_, slot) => this.#makeSlot(slot));
    this.#assignment = reassign(unassigned(options.log.shards), [...this.#slots.keys()], new Set());
  }

  async start(): Promise<void> {
    await this.#options.link.open({
      received: (identity, bytes) => this.#received(identity, bytes),
      unreachable: (identity, error) => this.#unreachable(identity, error),
    });
    for (const { worker } of this.#slots) worker.start();
    this.#scheduleTick();
  }

  /** Every shard has an owner that takes work. */
  get isReady(): boolean {
    return this.#assignment.owners.every((slot) => this.#slots[slot]?.worker.state === 'ready');
  }

  /** Workers that take work. */
  get readyWorkers(): number {
    return this.#slots.filter(({ worker }) => worker.state === 'ready').length;
  }

  /** Ask for values. Each job ends in exactly one of the events `computed` and `failed`, never within this call. */
  compute(jobs: readonly Job[]): void {
    if (this.#draining) {
      this.#failDraining([...jobs]);
      return;
    }
    const room = Math.max(0, this.#options.config.pending_jobs_max - this.#waiting());
    if (jobs.length > room)
      this.#fail(jobs.slice(room), 'overloaded', `${this.#waiting()} values wait to be computed.`);
    for (const job of room < jobs.length ? jobs.slice(0, room) : jobs) this.#route(job);
    this.#schedulePump();
  }

  /** Pass on what a transaction has added to the log, with the watched entities among it. */
  apply(group: CommitGroup, jobs: readonly Job[]): void {
    this.#head = group.position;
    for (const { outbox } of this.#slots) outbox.add(group);
    this.compute(jobs);
  }

  status(): FleetStatus {
    const nowMs = this.#options.timers.monotonicMs();
    return {
      ready: this.isReady,
      position: this.#head,
      shards: this.#assignment.owners.length,
      workers: this.#slots.map((slot) => slotStatus(slot, this.#assignment, nowMs)),
    };
  }

  /**
   * Lets the workers finish what was asked of them, ends them and closes the link. What is not done within `limitMs`
   * fails with `draining`, as does everything that is only watched.
   */
  async drain(limitMs: number = this.#options.config.drain_ms): Promise<void> {
    const { timers, link } = this.#options;
    this.#draining = true;
    const stopped = new Promise<void>((resolve) => {
      this.#allStopped = resolve;
    });
    this.#failDraining(this.#unowned.takeAll());
    for (const { worker, outbox } of this.#slots) {
      this.#failDraining(worker.state === 'ready' ? outbox.jobs.takeWatched() : outbox.jobs.takeAll());
      if (worker.state !== 'ready') worker.stop();
    }
    const limit = timers.setTimeout(() => this.#stopAll(), limitMs);
    this.#pump();
    this.#checkStopped();
    await stopped;
    timers.clearTimeout(limit);
    timers.clearTimeout(this.#tick);
    await link.close();
  }

  #makeSlot(slot: number): Slot {
    const { config, link, spawner, timers, random } = this.#options;
    const worker = new Worker({
      slot,
      address: link.address,
      spawner,
      timers,
      random,
      hooks: {
        starting: ({ identity }) => void this.#byIdentity.set(identity, this.#slots[slot]!),
        gone: (_, reason) => this.#gone(this.#slots[slot]!, reason),
      },
      startMs: config.start_ms,
      hangMs: config.hang_ms,
      restartBackoffMsMax: config.restart_backoff_ms_max,
    });
    const outbox = new Outbox({
      rowsPerFrameMax: config.rows_per_frame_max,
      frameBytesMax: config.frame_bytes_max,
      pendingBytesMax: config.pending_apply_bytes_max,
    });
    return { worker, outbox, inFlight: null, position: 0, rows: 0, loading: null, computed: 0 };
  }

  // Sending

  #waiting(): number {
    return this.#slots.reduce((sum, { outbox }) => sum + outbox.jobs.length, this.#unowned.length);
  }

  #ownerOf(job: Job): Slot | undefined {
    return this.#slots[this.#assignment.owners[shardOf(job.code, this.#assignment.owners.length)]!];
  }

  #route(job: Job): void {
    (this.#ownerOf(job)?.outbox.jobs ?? this.#unowned).push(job);
  }

  /** Frames are made when the turn's calls are over, so that all of them share one. */
  #schedulePump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    this.#pumping = false;
    for (const slot of this.#slots) this.#pumpSlot(slot);
  }

  #pumpSlot(slot: Slot): void {
    const { worker, outbox } = slot;
    if (slot.inFlight !== null || worker.state !== 'ready') return;
    this.#expire(outbox.jobs);
    if (this.#draining && outbox.jobs.length === 0) {
      this.#options.link.send(worker.identity, encodeFrame('drain', {}));
      worker.drain();
      return;
    }
    const jobs = outbox.takeJobs().filter((job) => this.#stays(job, slot));
    if (jobs.length === 0 && !outbox.due(this.#head)) return;
    const { frame, inFlight } = outbox.makeFrame(++this.#lastFrame, this.#head, this.#options.clock.now(), jobs);
    slot.inFlight = inFlight;
    worker.sent();
    this.#options.link.send(worker.identity, frame);
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

  // Receiving

  #received(identity: string, bytes: Uint8Array): void {
    const slot = this.#byIdentity.get(identity);
    if (slot === undefined || slot.worker.ending) {
      this.#options.logger.debug({ worker: identity }, 'frame of a worker that is gone');
      return;
    }
    let deliver: () => void;
    try {
      deliver = this.#take(slot, decodeFrame(bytes));
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error;
      slot.worker.fail(error.message);
      return;
    }
    deliver();
  }

  /** Takes note of a frame; what is to be told to the engine is told by the function that comes back. */
  #take(slot: Slot, frame: Frame): () => void {
    switch (frame.type) {
      case 'hello':
        if (slot.worker.state !== 'starting') throw new HeadraceError('internal', 'A worker said hello twice.');
        return () => this.#greet(slot);
      case 'beat':
        slot.worker.progressed();
        slot.loading = frame.header;
        return () => {};
      case 'ready':
        if (slot.worker.state !== 'loading') throw new HeadraceError('internal', 'A worker was ready unasked.');
        slot.position = frame.header.position;
        slot.rows = frame.header.rows;
        return () => this.#loaded(slot);
      case 'values': {
        const { header, body } = frame;
        const inFlight = this.#inFlight(slot, header.id);
        const answers = readAnswers(header, body, inFlight.groups);
        return () => this.#deliver(slot, header, answers);
      }
      case 'error':
        // What it has in memory now is unknown; the jobs in flight are tried on the next incarnation.
        throw new HeadraceError('internal', `A worker could not do its work: ${frame.header.message}`);
      default:
        throw new HeadraceError(
          'internal',
          `A worker sent a frame of type ${frame.type}, which only the engine sends.`,
        );
    }
  }

  #inFlight(slot: Slot, id: number): NonNullable<Slot['inFlight']> {
    if (slot.inFlight?.id === id) return slot.inFlight;
    throw new HeadraceError(
      'internal',
      `A worker answered frame ${id} where ${slot.inFlight?.id ?? 'none'} is in flight.`,
    );
  }

  #greet(slot: Slot): void {
    const { link, registry, schemas } = this.#options;
    const versions = [...registry.views.values()].flat();
    const plans = Object.fromEntries(versions.map((view) => [view.hash, view.plan]));
    slot.worker.greeted();
    link.send(slot.worker.identity, encodeFrame('reload', { plans, schemas }));
    this.#rebalance(new Set([slot.worker.slot]));
  }

  #loaded(slot: Slot): void {
    slot.worker.loaded();
    if (slot.worker.state !== 'ready') return;
    slot.loading = null;
    slot.outbox.reset(slot.position, this.#head);
    this.#options.logger.info(
      { worker: slot.worker.identity, pid: slot.worker.pid, rows: slot.rows },
      'worker is ready',
    );
    if (this.isReady) this.#becameReady();
    this.#options.events.changed();
    this.#pumpSlot(slot);
  }

  #deliver(slot: Slot, header: ValuesHeader, answers: readonly GroupAnswer[]): void {
    const sentPosition = slot.inFlight!.position;
    slot.inFlight = null;
    slot.position = header.position;
    slot.loading = null;
    slot.worker.answered();
    // The worker starts on the next frame while this one's rows are stored and pushed.
    this.#pumpSlot(slot);
    for (const answer of answers) this.#settle(slot, answer, sentPosition);
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
    const behind = at === null && block.position < sentPosition;
    const { leases: current } = this.#assignment;
    const counts = (job: Job, row: number) =>
      !behind && (job.code < 0 || leases[row] === current[shardOf(job.code, current.length)]);
    if (jobs.every(counts)) {
      slot.computed += block.n;
      this.#options.events.computed(block, jobs, at === null);
      return;
    }
    const rows = [...jobs.keys()].filter((row) => counts(jobs[row]!, row));
    const kept = rows.map((row) => jobs[row]!);
    slot.computed += rows.length;
    if (rows.length > 0) this.#options.events.computed(selectRows(block, rows), kept, at === null);
    const refused = jobs.filter((job, row) => !counts(job, row));
    this.#retry(refused, 'unavailable', 'The shard of the entity moved twice while its value was computed.');
  }

  // Life and death

  #rebalance(renewed: ReadonlySet<number>): void {
    const before = this.#assignment;
    const live = [...this.#slots.keys()].filter((slot) => !this.#slots[slot]!.worker.broken);
    this.#assignment = reassign(before, live, renewed);
    for (const number of new Set([...renewed, ...changedSlots(before, this.#assignment)])) {
      const slot = this.#slots[number]!;
      if (slot.worker.reachable) this.#assign(slot);
      for (const job of slot.outbox.jobs.takeAll()) this.#route(job);
    }
    for (const job of this.#unowned.takeAll()) this.#route(job);
    this.#options.events.changed();
  }

  #assign({ worker, outbox }: Slot): void {
    const { link, log } = this.#options;
    const shards = shardsOf(this.#assignment, worker.slot);
    worker.assigned();
    outbox.dropEvents();
    const header = { log: log.path, position: this.#head, shard_count: log.shards, shards };
    link.send(worker.identity, encodeFrame('assign', header));
  }

  #unreachable(identity: string | null, error: Error): void {
    const slot = identity === null ? undefined : this.#byIdentity.get(identity);
    if (slot !== undefined) slot.worker.fail(`cannot be reached: ${error.message}`);
    else this.#options.logger.error({ worker: identity, error: error.message }, 'the link to the workers failed');
  }

  #gone(slot: Slot, reason: string): void {
    const { worker, outbox } = slot;
    const jobs = slot.inFlight?.groups.flatMap((group) => group.jobs) ?? [];
    this.#byIdentity.delete(worker.identity);
    slot.inFlight = null;
    slot.loading = null;
    outbox.dropEvents();
    if (this.#draining) {
      this.#failDraining([...jobs, ...outbox.jobs.takeAll()]);
      worker.stop();
      this.#checkStopped();
    } else {
      this.#options.logger.warn({ worker: worker.identity, state: worker.state, reason }, 'worker is gone');
      if (worker.broken) this.#rebalance(new Set());
      this.#retry(jobs, 'internal', `The workers that computed the value died: ${reason}.`);
    }
    this.#options.events.changed();
  }

  #scheduleTick(): void {
    this.#tick = this.#options.timers.setTimeout(() => {
      const nowMs = this.#options.timers.monotonicMs();
      this.#expire(this.#unowned);
      for (const { worker, outbox } of this.#slots) {
        worker.check(nowMs);
        this.#expire(outbox.jobs);
      }
      this.#scheduleTick();
    }, TICK_MS);
  }

  #stopAll(): void {
    for (const { worker } of this.#slots) worker.stop();
    this.#checkStopped();
  }

  #checkStopped(): void {
    if (this.#slots.every(({ worker }) => worker.state === 'stopped')) this.#allStopped();
  }

  // Jobs without a value

  #retry(jobs: readonly Job[], code: ErrorCode, message: string): void {
    for (const job of jobs) {
      job.attempts++;
      job.sentPosition = undefined;
    }
    this.#fail(
      jobs.filter((job) => job.attempts >= ATTEMPTS_MAX),
      code,
      message,
    );
    for (const job of jobs) if (job.attempts < ATTEMPTS_MAX) this.#route(job);
    this.#schedulePump();
  }

  #expire(queue: JobQueue): void {
    this.#fail(
      queue.expire(this.#options.timers.monotonicMs()),
      'unavailable',
      'No value could be had within the deadline.',
    );
  }

  #failDraining(jobs: Job[]): void {
    this.#fail(jobs, 'draining', 'The server is shutting down; ask another one.');
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

const codeOrInternal = (code: string): ErrorCode => (Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'internal');
