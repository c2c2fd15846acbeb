import { build, type Histogram } from 'hdr-histogram-js';

const PANE_MS = 60_000;
const LONGEST_US = 60_000_000;

const emptyPane = (): Histogram =>
  build({ lowestDiscernibleValue: 1, highestTrackableValue: LONGEST_US, numberOfSignificantValueDigits: 2 });

/**
 * Durations of the last one to two minutes: two panes take turns, so that an hour-old peak does not hide the present.
 * Recording costs an increment.
 */
export class Latency {
  #current = emptyPane();
  #previous = emptyPane();
  #paneEndsMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #sumMs = 0;

  /** Since the start. */
  get count(): number {
    return this.#count;
  }

  /** Since the start. */
  get sumMs(): number {
    return this.#sumMs;
  }

  /** @param nowMs monotonic */
  record(tookMs: number, nowMs: number): void {
    if (nowMs >= this.#paneEndsMs) this.#turn(nowMs);
    this.#count++;
    this.#sumMs += tookMs;
    this.#current.recordValue(Math.min(LONGEST_US, Math.max(1, Math.round(tookMs * 1000))));
  }

  /** @param quantiles 0…1. @returns milliseconds for each; null where nothing was recorded of late */
  quantilesMs(quantiles: readonly number[], nowMs: number): number[] | null {
    if (nowMs >= this.#paneEndsMs) this.#turn(nowMs);
    const both = emptyPane();
    both.add(this.#current);
    both.add(this.#previous);
    if (both.totalCount === 0) return null;
    return quantiles.map((q) => both.getValueAtPercentile(q * 100) / 1000);
  }

  #turn(nowMs: number): void {
    const spent = this.#previous;
    spent.reset();
    // After a pause the pane before is too old as well.
    if (nowMs >= this.#paneEndsMs + PANE_MS) this.#current.reset();
    this.#previous = this.#current;
    this.#current = spent;
    this.#paneEndsMs = nowMs + PANE_MS;
  }
}
