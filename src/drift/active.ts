/**
 * The entities that events touched since the last tick: all of them, or a uniform sample where they are too many.
 *
 * Each code has a priority, a hash of it under a seed that is drawn anew for each tick; those with the least ones are
 * kept. So a code that comes again weighs no more, and memory is bounded however many entities there are.
 */
export class ActiveEntities {
  readonly #max: number;
  readonly #random: () => number;
  #priorities = new Map<number, number>();
  /** Codes of this priority or more are not among the least. */
  #limit = Number.POSITIVE_INFINITY;
  #seed: number;

  /** @param random uniform in [0, 1) */
  constructor(max: number, random: () => number) {
    this.#max = max;
    this.#random = random;
    this.#seed = this.#draw();
  }

  /** @param codes negative ones are passed over */
  add(codes: Int32Array): void {
    for (const code of codes) {
      if (code < 0) continue;
      const priority = mix(code ^ this.#seed);
      if (priority < this.#limit) this.#priorities.set(code, priority);
      if (this.#priorities.size >= 2 * this.#max) this.#prune();
    }
  }

  /** The codes, each once; starts anew. */
  take(): number[] {
    if (this.#priorities.size > this.#max) this.#prune();
    const codes = [...this.#priorities.keys()];
    this.#priorities = new Map();
    this.#limit = Number.POSITIVE_INFINITY;
    this.#seed = this.#draw();
    return codes;
  }

  #prune(): void {
    const least = [...this.#priorities].sort(([, a], [, b]) => a - b).slice(0, this.#max);
    this.#priorities = new Map(least);
    this.#limit = least.at(-1)![1];
  }

  #draw(): number {
    return Math.floor(this.#random() * 2 ** 32) | 0;
  }
}

/** A bijection of 32-bit integers that scatters neighbours (the finaliser of MurmurHash3), as an unsigned number. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
