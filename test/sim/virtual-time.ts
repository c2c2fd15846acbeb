import type { TimerHandle, Timers } from '../../src/clock.ts';

interface Due {
  atMs: number;
  order: number;
  callback: () => void;
}

/** 2001-06-23T12:00:00Z, where every schedule begins. */
const START: number = 993_297_600_000_000;

/** Time that passes only from one thing that happens to the next: nobody sleeps. */
export class VirtualTime implements Timers {
  #nowMs = 0;
  #wallShift = 0;
  #last = 0;
  readonly #heap: Due[] = [];
  readonly #live = new Set<number>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMicros(): number {
    return START + Math.round((this.#nowMs + this.#wallShift) * 1000);
  }

  /** Somebody sets the system's clock. */
  shiftWall(ms: number): void {
    this.#wallShift += ms;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    const due = { atMs: this.#nowMs + Math.max(0, delayMs), order: ++this.#last, callback };
    this.#live.add(due.order);
    this.#up(this.#heap.push(due) - 1, due);
    return due.order;
  }

  clearTimeout(handle: TimerHandle): void {
    this.#live.delete(handle as number);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#live.size;
  }

  /** Lets time pass. @param after called whenever something has happened and all that follows at once from it */
  async pass(ms: number, after: () => void): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    after();
    for (let due = this.#heap[0]; due !== undefined && due.atMs <= untilMs; due = this.#heap[0]) {
      this.#pop();
      if (!this.#live.delete(due.order)) continue;
      this.#nowMs = due.atMs;
      due.callback();
      await settled();
      after();
    }
    this.#nowMs = untilMs;
  }

  #before(a: Due, b: Due): boolean {
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #up(from: number, due: Due): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#before(due, this.#heap[above]!)) break;
      this.#heap[at] = this.#heap[above]!;
      at = above;
    }
    this.#heap[at] = due;
  }

  #pop(): void {
    const last = this.#heap.pop()!;
    const { length } = this.#heap;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      if (below + 1 < length && this.#before(this.#heap[below + 1]!, this.#heap[below]!)) below++;
      if (!this.#before(this.#heap[below]!, last)) break;
      this.#heap[at] = this.#heap[below]!;
      at = below;
    }
    this.#heap[at] = last;
  }
}

/** All microtasks that are queued now, and those that they queue, have run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
