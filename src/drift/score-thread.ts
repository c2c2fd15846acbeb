/** A Piscina task: the seed scores of all features of one view version, read from shared memory. */
import { type Baseline, freezeBaseline, type Score, seedScore } from './score.ts';

/** Rows of `width` float64 numbers each, one after another; NaN is null. */
interface Table {
  table: SharedArrayBuffer;
  rows: number;
}

export interface ScoreTask {
  width: number;
  /** By column what an earlier task made of it, or the vectors where this is the first. */
  baseline: Baseline[] | Table;
  current: Table;
}

export interface ScoreResult {
  frozen: Baseline[];
  scores: Score[];
}

export default function score({ width, baseline, current }: ScoreTask): ScoreResult {
  const columns = Array.from({ length: width }, (_, i) => i);
  const frozen = Array.isArray(baseline)
    ? baseline
    : columns.map((column) => freezeBaseline(finiteColumn(baseline, width, column)));
  return { frozen, scores: columns.map((column) => seedScore(frozen[column]!, finiteColumn(current, width, column))) };
}

function finiteColumn({ table, rows }: Table, width: number, column: number): Float64Array {
  const numbers = new Float64Array(table);
  const values = new Float64Array(rows);
  let n = 0;
  for (let row = 0; row < rows; row++) {
    const value = numbers[row * width + column]!;
    if (Number.isFinite(value)) values[n++] = value;
  }
  return values.subarray(0, n);
}
