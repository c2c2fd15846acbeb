import type { TimerHandle, Timers } from '../clock.ts';
import type { FeatureCache } from './cache.ts';

const GUARD_INTERVAL_MS = 1000;
/** The collector needs time to show what a cut gave back; cutting sooner would empty the cache for nothing. */
const GUARD_PAUSE_MS = 5000;
const SHARE = 5;

export interface UpkeepOptions {
  timers: Timers;
  purgeIntervalMs: number;
  /** Resident size of the process above which the cache gives back a fifth; 0: never. */
  guardBytes: number;
  /** Resident size of the process, in bytes. */
  rss: () => number;
}

/** Drops expired rows now and then, and a fifth of all rows when the process grows too large; in slices. */
export class Upkeep {
  readonly #cache: FeatureCache;
  readonly #options: UpkeepOptions;
  #purging: TimerHandle;
  #guarding: TimerHandle;

  constructor(cache: FeatureCache, options: UpkeepOptions) {
    this.#cache = cache;
    this.#options = options;
    this.#purgeLater();
    if (options.guardBytes > 0) this.#guardLater(GUARD_INTERVAL_MS);
  }

  close(): void {
    this.#options.timers.clearTimeout(this.#purging);
    this.#options.timers.clearTimeout(this.#guarding);
  }

  #purgeLater(): void {
    this.#purging = this.#options.timers.setTimeout(() => {
      this.#cache.purgeStale();
      this.#purgeLater();
    }, this.#options.purgeIntervalMs);
  }

  #guardLater(delayMs: number): void {
    this.#guarding = this.#options.timers.setTimeout(() => {
      const over = this.#options.rss() > this.#options.guardBytes;
      if (over && this.#cache.size > 0) this.#shrink(Math.ceil(this.#cache.size / SHARE));
      else this.#guardLater(GUARD_INTERVAL_MS);
    }, delayMs);
  }

  #shrink(count: number): void {
    const { left, packing } = this.#cache.shrink(count);
    if (left === 0 && !packing) this.#guardLater(GUARD_PAUSE_MS);
    else this.#guarding = this.#options.timers.setTimeout(() => this.#shrink(left), 0);
  }
}
