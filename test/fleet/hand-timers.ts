import type { TimerHandle, Timers } from '../../src/clock.ts';

/** Timers whose time is moved by hand; what is due runs in order, each after the microtasks before it. */
export class HandTimers implements Timers {
  #nowMs = 0;
  #last = 0;
  readonly #pending = new Map<number, { atMs: number; callback: () => void }>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMicros(): number {
    return this.#nowMs * 1000;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    this.#pending.set(++this.#last, { atMs: this.#nowMs + delayMs, callback });
    return this.#last;
  }

  clearTimeout(handle: TimerHandle): void {
    this.#pending.delete(handle as number);
  }

  get pending(): number {
    return this.#pending.size;
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await settled();
      const next = [...this.#pending].sort((a, b) => a[1].atMs - b[1].atMs || a[0] - b[0])[0];
      if (next === undefined || next[1].atMs > untilMs) break;
      this.#pending.delete(next[0]);
      this.#nowMs = next[1].atMs;
      next[1].callback();
    }
    this.#nowMs = untilMs;
    await settled();
  }
}

/** All microtasks that are queued now, and what they queue, have run. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
