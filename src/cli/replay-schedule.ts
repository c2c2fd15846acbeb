import type { Micros } from '../clock.ts';

/** Real time that the events of one batch may span. */
export const SPAN_MS = 100;
const EVENTS_MAX = 5000;

/** Events `from` to before `to` of one round through the file. */
export interface Due {
  loop: number;
  from: number;
  to: number;
}

export interface ReplayWindow {
  after: Micros;
  until: Micros;
  /** Event time over real time. */
  speed: number;
  /** Begin again at the end, with times moved on by `until − after` each time. */
  loop: boolean;
}

/**
 * When which event is due. An event is due when as much real time has gone by since the start, times the speed, as event
 * time since `after`.
 *
 * Where the replay falls behind (the engine was away, or is slow) the schedule moves with it: what is overdue by more
 * than {@link SPAN_MS} does not come as a burst, the events follow each other at the same speed as ever, later. After a
 * restart the schedule begins at the event that is next.
 */
export class Schedule {
  readonly #times: Float64Array;
  readonly #window: ReplayWindow;
  #loop = 0;
  #next = 0;
  /** Real time at which the event time `#anchor` is due. */
  #originMs = 0;
  #anchor: Micros = 0;

  /** @param times of the events in file order, within the window */
  constructor(times: Float64Array, window: ReplayWindow) {
    // File order is kept: an event out of order is due with the one before it.
    let newest = Number.NEGATIVE_INFINITY;
    this.#times = times.map((time) => {
      newest = Math.max(newest, time);
      return newest;
    });
    this.#window = window;
  }

  /** How far the times of a round are moved. */
  shift(loop: number): Micros {
    return loop * (this.#window.until - this.#window.after);
  }

  get done(): boolean {
    return this.#times.length === 0 || (this.#next >= this.#times.length && !this.#window.loop);
  }

  /** Starts, or goes on, with event `next` of round `loop`; from the very start time counts from `after`. */
  begin(loop: number, next: number, nowMs: number): void {
    this.#loop = loop;
    this.#next = next;
    this.#turn();
    this.#originMs = nowMs;
    const fresh = this.#loop === 0 && this.#next === 0;
    this.#anchor = fresh || this.done ? this.#window.after : this.#time(this.#next);
  }

  /** What is due now, or how many milliseconds nothing is; call it only while not {@link done}. */
  take(nowMs: number): Due | number {
    this.#turn();
    const dueMs = this.#dueMs(this.#next);
    if (dueMs > nowMs) return dueMs - nowMs;
    const behindMs = nowMs - dueMs - SPAN_MS;
    if (behindMs > 0) this.#originMs += behindMs;
    const from = this.#next;
    const endMs = Math.min(nowMs, this.#dueMs(from) + SPAN_MS);
    const most = Math.min(this.#times.length, from + EVENTS_MAX);
    let to = from + 1;
    while (to < most && this.#dueMs(to) <= endMs) to++;
    this.#next = to;
    return { loop: this.#loop, from, to };
  }

  #turn(): void {
    if (this.#next < this.#times.length || this.done) return;
    this.#loop++;
    this.#next = 0;
  }

  #time(index: number): Micros {
    return this.#times[index]! + this.shift(this.#loop);
  }

  #dueMs(index: number): number {
    return this.#originMs + (this.#time(index) - this.#anchor) / (1000 * this.#window.speed);
  }
}
