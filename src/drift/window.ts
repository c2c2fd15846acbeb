import type { View } from '../registry/view.ts';
import { ROW_HEADER, type Row } from '../values/row.ts';
import type { Baseline } from './score.ts';
import type { ScoreTask } from './score-thread.ts';

/**
 * The vectors of one view version in memory that threads share: the first ones make the baseline, those after it go
 * round in a ring. A vector holds the numeric features (float64, int64, bool) side by side; NaN is null.
 *
 * The main thread writes, a thread reads while nothing is written: {@link Drift} adds no vector from the moment it
 * hands a task over until the answer is there. So neither side locks or copies.
 */
export class SampleWindow {
  /** Names of the numeric features, in the order of their columns. */
  readonly features: string[];
  /** Column by column, once the baseline is full and its first score was computed. */
  frozen: Baseline[] | null = null;
  readonly #places: number[];
  readonly #baseline: Float64Array<SharedArrayBuffer>;
  readonly #ring: Float64Array<SharedArrayBuffer>;
  readonly #baselineMax: number;
  readonly #windowMax: number;
  #count = 0;

  /** @param baselineMax vectors of the baseline; @param windowMax vectors of the ring */
  constructor(view: View, baselineMax: number, windowMax: number) {
    const numeric = view.features
      .map(({ name, output }, place) => ({ name, output, place }))
      .filter(({ output }) => output === 'float64' || output === 'int64' || output === 'bool');
    this.features = numeric.map(({ name }) => name);
    this.#places = numeric.map(({ place }) => ROW_HEADER + place);
    this.#baselineMax = baselineMax;
    this.#windowMax = windowMax;
    this.#baseline = sharedTable(baselineMax, numeric.length);
    this.#ring = sharedTable(windowMax, numeric.length);
  }

  get baselineRows(): number {
    return Math.min(this.#count, this.#baselineMax);
  }

  get windowRows(): number {
    return Math.min(this.#count - this.baselineRows, this.#windowMax);
  }

  add(row: Row): void {
    const inBaseline = this.#count < this.#baselineMax;
    const table = inBaseline ? this.#baseline : this.#ring;
    const slot = inBaseline ? this.#count : (this.#count - this.#baselineMax) % this.#windowMax;
    const places = this.#places;
    const first = slot * places.length;
    for (let i = 0; i < places.length; i++) table[first + i] = row.slab[row.base + places[i]!]!;
    this.#count += 1;
  }

  /** What a thread needs to score all features; null while the baseline is not full. */
  task(): ScoreTask | null {
    if (this.#count < this.#baselineMax) return null;
    return {
      width: this.#places.length,
      baseline: this.frozen ?? { table: this.#baseline.buffer, rows: this.#baselineMax },
      current: { table: this.#ring.buffer, rows: this.windowRows },
    };
  }
}

function sharedTable(rows: number, width: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(rows * width * Float64Array.BYTES_PER_ELEMENT));
}
