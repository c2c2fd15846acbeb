/**
 * The seed score: how far a feature's window has moved from its baseline, in one number that is never NaN.
 *
 *     0.7 · |mean_b − mean_c| / range  +  0.3 · |cv_b − cv_c|
 *
 * with these guards, all of them frozen with the baseline:
 * - `range` is p99 − p1 of the baseline (max − min where those two are equal), so that one outlier does not blind it;
 * - values further than one range outside p1…p99 count as lying there, in the baseline and the window alike;
 * - cv is std / max(|mean|, 0.1 · range), so that a mean near zero does not blow it up;
 * - fewer than 200 values on either side give no score (`insufficient`), a constant baseline gives none (`degenerate`).
 *
 * It is not a PSI, and thresholds of other tools do not carry over.
 */

/** Values on either side below which no score is given. */
export const SAMPLES_MIN = 200;

const MEAN_WEIGHT = 0.7;
const CV_WEIGHT = 0.3;
/** The least mean that cv is taken over, in ranges. */
const CV_MEAN_MIN = 0.1;
/** The least range, relative to the values: what is below is rounding. */
const RANGE_MIN = 1e-9;
/** Values count as lying within this, in ranges from p1: p1 is 0 and p99 is 1. */
const CLAMP_LOW = -1;
const CLAMP_HIGH = 2;

export type Status = 'ok' | 'insufficient' | 'degenerate';

/** A sample in the feature's own unit, clamped as above; std with ddof 1; null where it is none. */
export interface Moments {
  n: number;
  mean: number | null;
  std: number | null;
}

/** What is kept of a baseline. `mean` and `std` are in ranges from the origin, which is p1. */
export interface Baseline {
  status: Status;
  n: number;
  origin: number;
  range: number;
  mean: number;
  std: number;
}

export interface Score {
  status: Status;
  /** Null unless `status` is `ok`. */
  score: number | null;
  /** |mean_b − mean_c| / range, not yet weighted. */
  mean_shift: number | null;
  /** |cv_b − cv_c|, not yet weighted. */
  cv_shift: number | null;
  range: number | null;
  baseline: Moments;
  current: Moments;
}

/** @param values finite numbers in any order; sorted in place */
export function freezeBaseline(values: Float64Array): Baseline {
  const n = values.length;
  const none: Baseline = { status: 'insufficient', n, origin: 0, range: 0, mean: 0, std: 0 };
  if (n < SAMPLES_MIN) return none;
  values.sort();
  const p1 = quantile(values, 0.01);
  const p99 = quantile(values, 0.99);
  const range = p99 > p1 ? p99 - p1 : values[n - 1]! - values[0]!;
  const least = RANGE_MIN * Math.max(Math.abs(p1), Math.abs(p99));
  // Not finite: the two ends of what a double can hold.
  if (!(range > least && Number.isFinite(range))) return { ...none, status: 'degenerate' };
  return { status: 'ok', n, origin: p1, range, ...clampedMoments(values, p1, range) };
}

/** @param values finite numbers in any order */
export function seedScore(baseline: Baseline, values: Float64Array): Score {
  const n = values.length;
  const { origin, range } = baseline;
  const status = baseline.status === 'ok' && n < SAMPLES_MIN ? 'insufficient' : baseline.status;
  if (status !== 'ok') {
    return {
      status,
      score: null,
      mean_shift: null,
      cv_shift: null,
      range: null,
      baseline: { n: baseline.n, mean: null, std: null },
      current: { n, mean: null, std: null },
    };
  }
  const current = clampedMoments(values, origin, range);
  const meanShift = Math.abs(baseline.mean - current.mean);
  const cvShift = Math.abs(cv(baseline, baseline) - cv(current, baseline));
  return {
    status,
    score: MEAN_WEIGHT * meanShift + CV_WEIGHT * cvShift,
    mean_shift: meanShift,
    cv_shift: cvShift,
    range,
    baseline: inUnit(baseline.n, baseline, baseline),
    current: inUnit(n, current, baseline),
  };
}

interface Scaled {
  mean: number;
  std: number;
}

/** Mean and standard deviation (ddof 1) in ranges from the origin: small numbers, whatever the feature's unit. */
function clampedMoments(values: Float64Array, origin: number, range: number): Scaled {
  const n = values.length;
  const clamped = (value: number) => Math.min(Math.max((value - origin) / range, CLAMP_LOW), CLAMP_HIGH);
  let sum = 0;
  for (const value of values) sum += clamped(value);
  const mean = sum / n;
  let squares = 0;
  for (const value of values) squares += (clamped(value) - mean) ** 2;
  return { mean, std: Math.sqrt(squares / (n - 1)) };
}

function cv({ mean, std }: Scaled, { origin, range }: Baseline): number {
  return std / Math.max(Math.abs(origin / range + mean), CV_MEAN_MIN);
}

function inUnit(n: number, { mean, std }: Scaled, { origin, range }: Baseline): Moments {
  return { n, mean: finiteOrNull(origin + mean * range), std: finiteOrNull(std * range) };
}

/** By linear interpolation, as pandas has it. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const below = sorted[low]!;
  const above = sorted[Math.min(low + 1, sorted.length - 1)]!;
  // Weighted, not a difference added: that could leave the range of a double.
  return below === above ? below : below * (1 - (at - low)) + above * (at - low);
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
