import type { TimerHandle, Timers } from '../clock.ts';
import type { Config } from '../config.ts';
import { HeadraceError } from '../errors.ts';
import { decodeFrame, encodeFrame, type Frame, type ReloadHeader, type ValuesHeader } from '../wire/frames.ts';
import { type GroupAnswer, readAnswers } from './answer.ts';
import { type Assignment, changedSlots, reassign, shardsOf, unassigned } from './assignment.ts';
import { Failures } from './failures.ts';
import type { Link } from './link.ts';
import type { Logger } from './logger.ts';
import { type InFlight, Outbox } from './outbox.ts';
import type { Slot } from './slot.ts';
import type { Spawner } from './spawner.ts';
import { Worker } from './worker.ts';

export interface CrewOptions {
  config: Config;
  timers: Timers;
  random: () => number;
  link: Link;
  spawner: Spawner;
  /** What workers compute. */
  plans: ReloadHeader;
  log: { path: string; shards: number };
  logger: Logger;
  /** Number of slots. */
  size: number;
  hooks: CrewHooks;
}

export interface CrewHooks {
  /** Head of the log. */
  head(): number;
  /** The worker takes work and has none: now, or after what it has just answered. */
  free(slot: Slot): void;
  /** The answers to a frame; the worker is {@link free} already. */
  answered(slot: Slot, answers: readonly GroupAnswer[], sent: InFlight): void;
  /** The worker died, with this frame in flight. */
  lost(slot: Slot, sent: InFlight | null, reason: string): void;
  /** Shards have other owners; these slots no longer hold all that they did. */
  moved(slots: readonly Slot[]): void;
  changed(): void;
  /** At every look at the time, after the workers. */
  tick(): void;
}

/** How often deadlines and the workers' progress are looked at. */
const TICK_MS = 100;

/**
 * The workers and what they own: starts them, tells them their shards under leases, takes their frames, and gives the
 * shards of those that broke to the others. It knows nothing of what the work is for.
 */
export class Crew {
  readonly slots: readonly Slot[];
  /** What went wrong in Python features. */
  readonly failures: Failures;
  readonly #options: CrewOptions;
  readonly #byIdentity = new Map<string, Slot>();
  #assignment: Assignment;
  #plans: ReloadHeader;
  #draining = false;
  #tick: TimerHandle;
  #allStopped: () => void = () => {};

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#plans = options.plans;
    this.failures = new Failures(options.logger, options.timers);
    this.slots = Array.from({ length: options.size }, (_, slot) => this.#makeSlot(slot));
    this.#assignment = reassign(unassigned(options.log.shards), [...this.slots.keys()], new Set());
  }

  get assignment(): Assignment {
    return this.#assignment;
  }

  /** Every shard has an owner that takes work. */
  get complete(): boolean {
    return this.#assignment.owners.every((slot) => this.slots[slot]?.worker.state === 'ready');
  }

  async start(): Promise<void> {
    await this.#options.link.open({
      received: (identity, bytes) => this.#received(identity, bytes),
      unreachable: (identity, error) => this.#unreachable(identity, error),
    });
    for (const { worker } of this.slots) worker.start();
    this.#scheduleTick();
  }

  send(slot: Slot, frame: Uint8Array, inFlight: InFlight): void {
    slot.inFlight = inFlight;
    slot.worker.sent();
    this.#options.link.send(slot.worker.identity, frame);
  }

  /**
   * Workers compute by these plans from now on, new ones too. A frame that is sent after this call finds them in place,
   * for frames keep their order; a worker that must read the log again for them beats meanwhile.
   */
  reload(plans: ReloadHeader): void {
    this.#plans = plans;
    this.failures.keep(new Set(Object.keys(plans.plans)));
    const frame = encodeFrame('reload', plans);
    for (const { worker } of this.slots) if (worker.reachable) this.#options.link.send(worker.identity, frame);
  }

  /**
   * Starts no worker any more and ends those that are not ready; the others are ended by {@link dismiss}, or when
   * `limitMs` is over. Resolves when all are gone and the link is closed.
   */
  async drain(limitMs: number): Promise<void> {
    const { timers, link } = this.#options;
    this.#draining = true;
    const stopped = new Promise<void>((resolve) => {
      this.#allStopped = resolve;
    });
    for (const { worker } of this.slots) if (worker.state !== 'ready') worker.stop();
    const limit = timers.setTimeout(() => this.#stopAll(), limitMs);
    this.#checkStopped();
    await stopped;
    timers.clearTimeout(limit);
    timers.clearTimeout(this.#tick);
    await link.close();
  }

  /** Tells a free worker that no more work comes. */
  dismiss({ worker }: Slot): void {
    this.#options.link.send(worker.identity, encodeFrame('drain', {}));
    worker.drain();
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
        starting: ({ identity }) => void this.#byIdentity.set(identity, this.slots[slot]!),
        gone: (_, reason) => this.#gone(this.slots[slot]!, reason),
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

  // What workers say

  #received(identity: string, bytes: Uint8Array): void {
    const slot = this.#byIdentity.get(identity);
    if (slot === undefined || slot.worker.ending) {
      this.#options.logger.debug({ worker: identity }, 'frame of a worker that is gone');
      return;
    }
    let act: () => void;
    try {
      act = this.#read(slot, decodeFrame(bytes));
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error;
      slot.worker.fail(error.message);
      return;
    }
    act();
  }

  /**
   * Checks a frame against what the worker may say now.
   * @returns what is to be done, apart, so that an error in it is not taken for the worker's
   */
  #read(slot: Slot, frame: Frame): () => void {
    switch (frame.type) {
      case 'hello':
        if (slot.worker.state !== 'starting') throw wrong('said hello twice');
        return () => this.#greet(slot);
      case 'beat':
        return () => {
          slot.worker.progressed();
          slot.loading = frame.header;
        };
      case 'ready':
        if (slot.worker.state !== 'loading') throw wrong('was ready unasked');
        slot.position = frame.header.position;
        slot.rows = frame.header.rows;
        return () => this.#loaded(slot);
      case 'values': {
        const { header, body } = frame;
        const sent = slot.inFlight;
        if (sent?.id !== header.id) throw wrong(`answered frame ${header.id}, not ${sent?.id ?? 'any'}`);
        const answers = readAnswers(header, body, sent.groups);
        return () => this.#answered(slot, header, answers, sent);
      }
      case 'error':
        // What it has in memory now is unknown; the jobs in flight are tried on the next incarnation.
        throw wrong(`could not do its work: ${frame.header.message}`);
      default:
        throw wrong(`sent a frame of type ${frame.type}, which only the engine sends`);
    }
  }

  #greet(slot: Slot): void {
    slot.worker.greeted();
    this.#options.link.send(slot.worker.identity, encodeFrame('reload', this.#plans));
    this.#rebalance(new Set([slot.worker.slot]));
  }

  #loaded(slot: Slot): void {
    const { hooks, logger } = this.#options;
    slot.worker.loaded();
    if (slot.worker.state !== 'ready') return;
    slot.loading = null;
    slot.outbox.reset(slot.position, hooks.head());
    logger.info({ worker: slot.worker.identity, pid: slot.worker.pid, rows: slot.rows }, 'worker is ready');
    hooks.changed();
    this.#free(slot);
  }

  #answered(slot: Slot, header: ValuesHeader, answers: readonly GroupAnswer[], sent: InFlight): void {
    slot.inFlight = null;
    slot.position = header.position;
    slot.loading = null;
    slot.worker.answered();
    // The worker starts on the next frame while this one's rows are stored and pushed.
    this.#free(slot);
    for (const [i, { failures, as_of }] of header.groups.entries()) {
      if (failures !== undefined) this.failures.record(sent.groups[i]!.view, as_of, failures);
    }
    this.#options.hooks.answered(slot, answers, sent);
  }

  #free(slot: Slot): void {
    if (slot.worker.state === 'ready') this.#options.hooks.free(slot);
  }

  // Life and death

  #rebalance(renewed: ReadonlySet<number>): void {
    const before = this.#assignment;
    const live = [...this.slots.keys()].filter((slot) => !this.slots[slot]!.worker.broken);
    this.#assignment = reassign(before, live, renewed);
    const numbers = new Set([...renewed, ...changedSlots(before, this.#assignment)]);
    const moved = [...numbers].map((slot) => this.slots[slot]!);
    for (const slot of moved) if (slot.worker.reachable) this.#assign(slot);
    this.#options.hooks.moved(moved);
    this.#options.hooks.changed();
  }

  #assign({ worker, outbox }: Slot): void {
    const { link, log, hooks } = this.#options;
    const shards = shardsOf(this.#assignment, worker.slot);
    worker.assigned();
    outbox.dropEvents();
    const header = { log: log.path, position: hooks.head(), shard_count: log.shards, shards };
    link.send(worker.identity, encodeFrame('assign', header));
  }

  #unreachable(identity: string | null, error: Error): void {
    const slot = identity === null ? undefined : this.#byIdentity.get(identity);
    if (slot !== undefined) slot.worker.fail(`cannot be reached: ${error.message}`);
    else this.#options.logger.error({ worker: identity, err: error }, 'the link to the workers failed');
  }

  #gone(slot: Slot, reason: string): void {
    const { worker } = slot;
    const sent = slot.inFlight;
    this.#byIdentity.delete(worker.identity);
    slot.inFlight = null;
    slot.loading = null;
    slot.position = 0;
    slot.rows = 0;
    slot.outbox.dropEvents();
    if (this.#draining) worker.stop();
    else {
      this.#options.logger.warn({ worker: worker.identity, state: worker.state, reason }, 'worker is gone');
      if (worker.broken) this.#rebalance(new Set());
    }
    this.#options.hooks.lost(slot, sent, reason);
    this.#options.hooks.changed();
    this.#checkStopped();
  }

  #scheduleTick(): void {
    const { timers, hooks } = this.#options;
    this.#tick = timers.setTimeout(() => {
      const nowMs = timers.monotonicMs();
      for (const { worker } of this.slots) worker.check(nowMs);
      hooks.tick();
      this.#scheduleTick();
    }, TICK_MS);
  }

  #stopAll(): void {
    for (const { worker } of this.slots) worker.stop();
    this.#checkStopped();
  }

  #checkStopped(): void {
    if (this.slots.every(({ worker }) => worker.state === 'stopped')) this.#allStopped();
  }
}

const wrong = (what: string): HeadraceError => new HeadraceError('internal', `A worker ${what}.`);
