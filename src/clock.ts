/**
 * The engine's clock and its timers. Both are passed in everywhere, never global, so that the whole engine can run
 * in a simulation.
 *
 * Engine time (TTL, windows, ticks, `valid_until`) is {@link Clock}; deadlines, back-off and keepalive are
 * {@link Timers.monotonicMs}.
 */

/** Microseconds since the epoch, UTC: a whole number, exact in a double until the year 2255. */
export type Micros = number;

export interface Clock {
  /** Engine time; never runs backwards. 0 while an event clock has seen no event. */
  now(): Micros;
}

/** Follows real time, but holds still when the system's clock is set back. */
export class WallClock implements Clock {
  readonly #read: () => Micros;
  #last: Micros;

  /** @param from never tells less than this: the clock as the log last saw it */
  constructor(timers: Pick<Timers, 'wallMicros'>, from: Micros) {
    this.#read = () => timers.wallMicros();
    this.#last = from;
  }

  now(): Micros {
    this.#last = Math.max(this.#last, this.#read());
    return this.#last;
  }
}

/** The greatest timestamp of the committed events, moved in log order by whoever publishes commits. */
export class EventClock implements Clock {
  #now: Micros = 0;

  now(): Micros {
    return this.#now;
  }

  advance(to: Micros): void {
    if (to > this.#now) this.#now = to;
  }
}

export type TimerHandle = unknown;

export interface Timers {
  /** Milliseconds from an arbitrary start; never jumps. */
  monotonicMs(): number;
  /** The system's clock; may jump. */
  wallMicros(): Micros;
  setTimeout(callback: () => void, delayMs: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
}

export const systemTimers: Timers = {
  monotonicMs: () => performance.now(),
  wallMicros: () => Date.now() * 1000,
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};
