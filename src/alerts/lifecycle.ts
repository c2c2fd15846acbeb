export type LifecycleState = 'inactive' | 'pending' | 'firing';

/** When an alert fires and when it is over; ticks in a row. */
export interface Rule {
  threshold: number;
  /** Whether a value equal to the threshold is above it. */
  inclusive: boolean;
  fireAfterTicks: number;
  /** Times the threshold: the value must be below that to count as clear. */
  clearBelow: number;
  clearAfterTicks: number;
}

/** One alert's way: inactive → pending → firing → resolved, which is inactive again. */
export class Lifecycle {
  state: LifecycleState;
  readonly #rule: Rule;
  #ticks = 0;

  constructor(rule: Rule, state: LifecycleState = 'inactive') {
    this.#rule = rule;
    this.state = state;
  }

  /**
   * One tick.
   * @param value null: nothing can be said, so nothing changes; above all, nothing is resolved
   * @returns what the tick brought
   */
  step(value: number | null): 'fired' | 'resolved' | null {
    if (value === null) return null;
    return this.state === 'firing' ? this.#stepFiring(value) : this.#stepQuiet(value);
  }

  #stepQuiet(value: number): 'fired' | null {
    const { threshold, inclusive, fireAfterTicks } = this.#rule;
    this.#ticks = value > threshold || (inclusive && value === threshold) ? this.#ticks + 1 : 0;
    this.state = this.#ticks === 0 ? 'inactive' : 'pending';
    if (this.#ticks < fireAfterTicks) return null;
    this.state = 'firing';
    this.#ticks = 0;
    return 'fired';
  }

  #stepFiring(value: number): 'resolved' | null {
    const { threshold, clearBelow, clearAfterTicks } = this.#rule;
    this.#ticks = value < clearBelow * threshold ? this.#ticks + 1 : 0;
    if (this.#ticks < clearAfterTicks) return null;
    this.state = 'inactive';
    this.#ticks = 0;
    return 'resolved';
  }
}
