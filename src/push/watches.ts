import type { Clock, Micros, TimerHandle, Timers } from '../clock.ts';
import type { ErrorBody } from '../errors.ts';
import type { Job } from '../fleet/job.ts';
import type { View } from '../registry/view.ts';
import type { Codes } from '../values/codes.ts';
import { POSITION, type Row, VALID_UNTIL } from '../values/row.ts';
import type { Touched } from '../values/touched.ts';
import type { ViewTags } from '../values/view-tags.ts';
import { Expiry, type Timed } from './expiry.ts';

/** Pause before a watched entity whose computation failed is tried again. */
const RETRY_MS = 1000;
/** At most so many are taken as due at once; the rest follow with the next look. */
const DUE_MAX = 2000;
const TIMER_MS_MAX = 2 ** 31 - 1;
const FIRST_CODES = 1024;

/** One (view, entity) that somebody watches. */
export class Watch<Feed> implements Timed {
  /** The newest of its definition: options may change. */
  view: View;
  readonly entityId: string;
  code: number;
  /** One for each topic that watches it. */
  readonly feeds: Feed[] = [];
  /** Under way; at most one. */
  job: Job | null = null;
  /** That of its newest row; −1: none seen. */
  position = -1;
  /** That of its newest row; NaN: no time brings another. */
  validUntil: Micros = Number.NaN;
  dueAt = Number.NaN;
  heapIndex = -1;

  constructor(view: View, entityId: string, code: number) {
    this.view = view;
    this.entityId = entityId;
    this.code = code;
  }
}

class WatchedView<Feed> {
  readonly byId = new Map<string, Watch<Feed>>();
  readonly #byCode = new Map<number, Watch<Feed>>();
  readonly #sources: Set<string>;
  /** By entity code: 1 where it is watched. One look a touched entity, where a commit may touch thousands. */
  #flags = new Uint8Array(FIRST_CODES);

  constructor(view: View) {
    this.#sources = new Set(view.plan.sources.map(({ name }) => name));
  }

  uses(source: string): boolean {
    return this.#sources.has(source);
  }

  byCode(code: number): Watch<Feed> | undefined {
    return code < this.#flags.length && this.#flags[code] === 1 ? this.#byCode.get(code) : undefined;
  }

  get unnamed(): boolean {
    return this.#byCode.size < this.byId.size;
  }

  name(watch: Watch<Feed>, code: number): void {
    watch.code = code;
    if (code < 0) return;
    if (code >= this.#flags.length) {
      const grown = new Uint8Array(Math.max(code + 1, this.#flags.length * 2));
      grown.set(this.#flags);
      this.#flags = grown;
    }
    this.#flags[code] = 1;
    this.#byCode.set(code, watch);
  }

  remove(watch: Watch<Feed>): void {
    this.byId.delete(watch.entityId);
    if (watch.code < 0) return;
    this.#flags[watch.code] = 0;
    this.#byCode.delete(watch.code);
  }
}

export interface WatchesOptions {
  clock: Clock;
  /** Whether the clock moves by itself: then a timer wakes for what is due; an event clock moves with commits alone. */
  clockMode: 'wall' | 'event';
  timers: Timers;
  touched: Pick<Touched, 'lastTouch'>;
  codes: Codes;
  tags: ViewTags;
  compute: (jobs: Job[]) => void;
}

/**
 * Who must be computed again, and when: a watched entity when its events arrive, and at its `valid_until`. Its TTL adds
 * nothing: before `valid_until` no bit can change without an event.
 */
export class Watches<Feed> {
  readonly #options: WatchesOptions;
  readonly #views = new Map<string, WatchedView<Feed>>();
  /** By entity name. */
  readonly #byEntity = new Map<string, Set<WatchedView<Feed>>>();
  readonly #expiry = new Expiry<Watch<Feed>>();
  /** To be computed with the next {@link flush}. */
  readonly #wanted = new Set<Watch<Feed>>();
  readonly #retries = new Set<Watch<Feed>>();
  #size = 0;
  #retryTimer: TimerHandle = null;
  #dueTimer: TimerHandle = null;
  /** For when {@link #dueTimer} is set; NaN: it is not. */
  #dueTimerAt: Micros = Number.NaN;

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  get(view: View, entityId: string): Watch<Feed> | undefined {
    return this.#views.get(this.#options.tags.of(view))?.byId.get(entityId);
  }

  add(view: View, entityId: string): Watch<Feed> {
    const { entity } = view.plan;
    const watched = this.#watchedView(view);
    const known = watched.byId.get(entityId);
    if (known !== undefined) return known;
    const watch = new Watch<Feed>(view, entityId, -1);
    watched.byId.set(entityId, watch);
    watched.name(watch, this.#options.codes.codeOf(entity, entityId));
    this.#size++;
    return watch;
  }

  remove(watch: Watch<Feed>): void {
    const tag = this.#options.tags.of(watch.view);
    const watched = this.#views.get(tag)!;
    watched.remove(watch);
    this.#size--;
    this.#expiry.remove(watch);
    this.#wanted.delete(watch);
    this.#retries.delete(watch);
    if (watched.byId.size > 0) return;
    this.#views.delete(tag);
    const { entity } = watch.view.plan;
    const views = this.#byEntity.get(entity)!;
    views.delete(watched);
    if (views.size === 0) this.#byEntity.delete(entity);
  }

  /** Entity ids have got codes: `values[i]` has `from + i`. */
  named(entity: string, from: number, values: readonly string[]): void {
    for (const watched of this.#byEntity.get(entity) ?? []) {
      if (!watched.unnamed) continue;
      for (const [i, value] of values.entries()) {
        const watch = watched.byId.get(value);
        if (watch !== undefined && watch.code < 0) watched.name(watch, from + i);
      }
    }
  }

  /** Appends jobs for the watched entities among those that a commit has touched. */
  touch(source: string, entity: string, codes: Int32Array, jobs: Job[]): void {
    for (const watched of this.#byEntity.get(entity) ?? []) {
      if (!watched.uses(source)) continue;
      for (const code of codes) {
        const watch = watched.byCode(code);
        if (watch !== undefined) this.#ask(watch, jobs);
      }
    }
  }

  /** Appends jobs for what is due by the engine's clock. */
  due(jobs: Job[]): void {
    const now = this.#options.clock.now();
    for (let i = 0; i < DUE_MAX; i++) {
      const watch = this.#expiry.take(now);
      if (watch === undefined) return;
      this.#ask(watch, jobs);
    }
  }

  /** A row of the watched entity is known. */
  seen(watch: Watch<Feed>, { slab, base }: Row): void {
    watch.position = slab[base + POSITION]!;
    watch.validUntil = slab[base + VALID_UNTIL]!;
    this.#expiry.set(watch, watch.validUntil);
  }

  /** Wants a row with the next {@link flush}, unless the newest seen is current. */
  want(watch: Watch<Feed>): void {
    if (this.#behind(watch)) this.#wanted.add(watch);
  }

  /** Wants a row with the next {@link flush}, seen or not: somebody has none. */
  demand(watch: Watch<Feed>): void {
    this.#wanted.add(watch);
  }

  /** Asks for all that is wanted or due, and sets the timer for what is due next. */
  flush(): void {
    const jobs: Job[] = [];
    for (const watch of this.#wanted) this.#ask(watch, jobs);
    this.#wanted.clear();
    this.due(jobs);
    if (jobs.length > 0) this.#options.compute(jobs);
    if (this.#options.clockMode === 'wall') this.#setDueTimer();
  }

  /** Jobs have come back, and their rows were seen. */
  computed(jobs: readonly Job[]): void {
    for (const job of jobs) {
      const watch = this.#returned(job);
      if (watch !== undefined) this.want(watch);
    }
  }

  /** Jobs have come back without rows. */
  failed(jobs: readonly Job[], error: ErrorBody): void {
    if (!error.temporary) {
      for (const job of jobs) this.#returned(job);
      return;
    }
    for (const job of jobs) {
      const watch = this.#returned(job);
      if (watch !== undefined) this.#retries.add(watch);
    }
    if (this.#retries.size > 0) this.#retryTimer ??= this.#options.timers.setTimeout(() => this.#retry(), RETRY_MS);
  }

  close(): void {
    this.#options.timers.clearTimeout(this.#retryTimer);
    this.#options.timers.clearTimeout(this.#dueTimer);
  }

  #watchedView(view: View): WatchedView<Feed> {
    const tag = this.#options.tags.of(view);
    let watched = this.#views.get(tag);
    if (watched === undefined) {
      watched = new WatchedView<Feed>(view);
      this.#views.set(tag, watched);
      const { entity } = view.plan;
      const views = this.#byEntity.get(entity) ?? new Set();
      this.#byEntity.set(entity, views.add(watched));
    }
    return watched;
  }

  /** The watch whose job this was, now without one. */
  #returned(job: Job): Watch<Feed> | undefined {
    const watch = this.get(job.view, job.entityId);
    if (watch?.job !== job) return undefined;
    watch.job = null;
    return watch;
  }

  #behind({ view, code, position, validUntil }: Watch<Feed>): boolean {
    const { clock, touched } = this.#options;
    return position < 0 || touched.lastTouch(view, code) > position || validUntil <= clock.now();
  }

  /** A job under way is let be: when it is back, position and `valid_until` of its row tell what came meanwhile. */
  #ask(watch: Watch<Feed>, jobs: Job[]): void {
    if (watch.job !== null) return;
    const { view, entityId, code } = watch;
    watch.job = { view, entityId, code, at: null, deadlineMs: Number.POSITIVE_INFINITY, attempts: 0 };
    jobs.push(watch.job);
  }

  #retry(): void {
    this.#retryTimer = null;
    for (const watch of this.#retries) this.#wanted.add(watch);
    this.#retries.clear();
    this.flush();
  }

  #setDueTimer(): void {
    const { clock, timers } = this.#options;
    const next = this.#expiry.next;
    if (next === this.#dueTimerAt || (Number.isNaN(next) && Number.isNaN(this.#dueTimerAt))) return;
    timers.clearTimeout(this.#dueTimer);
    this.#dueTimerAt = next;
    if (Number.isNaN(next)) return;
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(0, Math.ceil((next - clock.now()) / 1000)));
    this.#dueTimer = timers.setTimeout(() => {
      this.#dueTimerAt = Number.NaN;
      this.flush();
    }, delayMs);
  }
}
