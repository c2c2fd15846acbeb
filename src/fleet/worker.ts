import type { TimerHandle, Timers } from '../clock.ts';
import type { Spawner, WorkerProcess } from './spawner.ts';

/**
 * - `starting`: its process runs, it has not said hello
 * - `loading`: it reads its shards from the log
 * - `ready`: it takes work
 * - `ending`: it is being killed, or it drains
 * - `waiting`: it died and is started again after a pause
 * - `broken`: it died too often in a row; its shards are others' until it comes up again
 * - `stopped`: it ended because it should
 */
export type WorkerState = 'starting' | 'loading' | 'ready' | 'ending' | 'waiting' | 'broken' | 'stopped';

/** What the fleet does as a worker's life goes on. */
export interface WorkerHooks {
  /** A new incarnation is about to be started under a fresh identity. */
  starting(worker: Worker): void;
  /** Its process is gone, and with it what it was doing. */
  gone(worker: Worker, reason: string): void;
}

export interface WorkerOptions {
  slot: number;
  address: string;
  spawner: Spawner;
  timers: Timers;
  /** 0 ≤ x < 1 */
  random: () => number;
  hooks: WorkerHooks;
  startMs: number;
  hangMs: number;
  restartBackoffMsMax: number;
}

/** Ready for so long, a worker's earlier failures no longer count. */
const HEALTHY_MS = 10_000;
/** Between SIGABRT, which makes it write its stack, and SIGKILL. */
const ABORT_MS = 1000;
const BACKOFF_FIRST_MS = 100;
const FAILURES_MAX = 5;
/** A broken worker is tried again after so many of the longest pauses. */
const BROKEN_PAUSES = 2;

/**
 * The life of one slot of the fleet: starts its process, watches that it gets on, ends it where it does not, and starts
 * the next one. Each incarnation has a fresh identity, so that nothing the former one sent can be taken for its own.
 */
export class Worker {
  readonly slot: number;
  readonly #options: WorkerOptions;
  #state: WorkerState = 'stopped';
  #identity = '';
  #incarnations = 0;
  #process: WorkerProcess | undefined;
  /** When it was last known to get on: start, hello, progress while loading, a frame sent to it, its answer. */
  #progressMs = 0;
  #readyMs = 0;
  #busySinceMs: number | undefined;
  #abortedMs: number | undefined;
  #failures = 0;
  #lastError: string | null = null;
  #pause: TimerHandle | undefined;
  #assignments = 0;
  #draining = false;

  constructor(options: WorkerOptions) {
    this.slot = options.slot;
    this.#options = options;
  }

  get state(): WorkerState {
    return this.#state;
  }

  get identity(): string {
    return this.#identity;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get restarts(): number {
    return Math.max(0, this.#incarnations - 1);
  }

  get lastError(): string | null {
    return this.#lastError;
  }

  /** Too many failures in a row, and no sign of life since: it must own no shards. */
  get broken(): boolean {
    return this.#failures >= FAILURES_MAX && this.#state !== 'loading' && this.#state !== 'ready';
  }

  /** It may be sent frames. */
  get reachable(): boolean {
    return this.#state === 'loading' || this.#state === 'ready';
  }

  /** It is being killed, or was: what it says now counts no more. */
  get ending(): boolean {
    return this.#state === 'ending' || this.#state === 'stopped';
  }

  /** Milliseconds for which it has not answered the frame in flight; null where there is none. */
  inFlightMs(nowMs: number): number | null {
    return this.#busySinceMs === undefined ? null : nowMs - this.#busySinceMs;
  }

  start(): void {
    this.#pause = undefined;
    this.#incarnations++;
    const nonce = Math.floor(this.#options.random() * 2 ** 32).toString(16);
    const identity = `w${this.slot}-${this.#incarnations}-${nonce.padStart(8, '0')}`;
    this.#identity = identity;
    this.#state = 'starting';
    this.#abortedMs = undefined;
    this.#assignments = 0;
    this.#progressMs = this.#options.timers.monotonicMs();
    this.#options.hooks.starting(this);
    this.#process = this.#options.spawner.spawn(identity, this.#options.address, (reason) => this.#exited(reason));
  }

  /** It said hello. */
  greeted(): void {
    this.#state = 'loading';
    this.progressed();
  }

  /** It was sent its shards; it takes no work until it says that they are loaded. */
  assigned(): void {
    this.#assignments++;
    this.#state = 'loading';
    this.progressed();
  }

  /** It said that the shards of one assignment are loaded. */
  loaded(): void {
    this.progressed();
    this.#assignments--;
    if (this.#assignments > 0 || this.#state !== 'loading') return;
    this.#state = 'ready';
    this.#readyMs = this.#progressMs;
  }

  progressed(): void {
    this.#progressMs = this.#options.timers.monotonicMs();
  }

  sent(): void {
    this.progressed();
    this.#busySinceMs = this.#progressMs;
  }

  answered(): void {
    this.progressed();
    this.#busySinceMs = undefined;
  }

  /** Look at the time: call it often. */
  check(nowMs: number): void {
    const { startMs, hangMs } = this.#options;
    const silentMs = nowMs - this.#progressMs;
    if (this.#state === 'ready' && nowMs - this.#readyMs >= HEALTHY_MS) this.#failures = 0;
    if (this.#state === 'ending') {
      if (this.#abortedMs !== undefined && nowMs - this.#abortedMs >= ABORT_MS) this.#process?.kill();
    } else if (this.#state === 'starting') {
      if (silentMs > startMs) this.fail(`said no hello within ${startMs} ms`);
    } else if (this.#busySinceMs !== undefined) {
      if (silentMs > hangMs) this.fail(`hung: its oldest request is ${Math.round(nowMs - this.#busySinceMs)} ms old`);
    } else if (this.#state === 'loading') {
      if (silentMs > startMs) this.fail(`showed no progress in loading for ${startMs} ms`);
    }
  }

  /** Ends this incarnation; the next one follows. */
  fail(reason: string): void {
    if (this.#state === 'ending' || this.#process === undefined) return;
    this.#lastError = reason;
    this.#state = 'ending';
    this.#abortedMs = this.#options.timers.monotonicMs();
    this.#process.abort();
  }

  /** It was told to drain, and is not started again. */
  drain(): void {
    this.#draining = true;
    this.#state = 'ending';
  }

  /** Ends it for good, whatever it is doing. */
  stop(): void {
    this.#draining = true;
    if (this.#pause !== undefined) this.#options.timers.clearTimeout(this.#pause);
    this.#pause = undefined;
    if (this.#process === undefined) this.#state = 'stopped';
    else {
      this.#state = 'ending';
      this.#process.kill();
    }
  }

  #exited(reason: string): void {
    this.#process = undefined;
    this.#busySinceMs = undefined;
    if (this.#draining) {
      this.#state = 'stopped';
      this.#options.hooks.gone(this, reason);
      return;
    }
    // Where it was killed for something, that is what was wrong, not the signal.
    const why = this.#abortedMs === undefined ? reason : (this.#lastError ?? reason);
    this.#lastError = why;
    this.#failures++;
    this.#state = this.#failures >= FAILURES_MAX ? 'broken' : 'waiting';
    const pauseMs = this.#pauseMs();
    this.#options.hooks.gone(this, why);
    if (this.#draining) return; // told so just now
    if (pauseMs === 0) this.start();
    else this.#pause = this.#options.timers.setTimeout(() => this.start(), pauseMs);
  }

  /** Full jitter: anything up to a bound that doubles; the first restart is immediate. */
  #pauseMs(): number {
    const { restartBackoffMsMax, random } = this.#options;
    if (this.#state === 'broken') return BROKEN_PAUSES * restartBackoffMsMax;
    if (this.#failures === 1) return 0;
    return random() * Math.min(restartBackoffMsMax, BACKOFF_FIRST_MS * 2 ** (this.#failures - 2));
  }
}
