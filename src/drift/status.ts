import type { LifecycleState } from '../alerts/lifecycle.ts';
import type { Micros } from '../clock.ts';
import type { Config } from '../config.ts';
import type { View } from '../registry/view.ts';
import { formatTime } from '../wire/time.ts';
import type { Moments, Score, Status } from './score.ts';
import type { SampleWindow } from './window.ts';

/** What is known of one feature; no score before the first tick with a full baseline. */
export interface FeatureState {
  name: string;
  score: Score | null;
  alert: LifecycleState;
}

interface ViewState {
  view: View;
  window: SampleWindow;
  features: FeatureState[];
}

interface FeatureStatus {
  view: string;
  version: string;
  feature: string;
  status: Status;
  score: number | null;
  threshold: number;
  drifting: boolean;
  alert: LifecycleState;
  /** Values that are not null. */
  baseline_n: number;
  current_n: number;
  mean_shift: number | null;
  cv_shift: number | null;
  range: number | null;
  baseline: Moments;
  current: Moments;
}

interface DriftStatus {
  /** Of the last tick. */
  as_of: string | null;
  interval_ms: number;
  /** Vectors so far; the window fills once the baseline is full. */
  views: { view: string; version: string; baseline_n: number; baseline_max: number; window_n: number }[];
  features: FeatureStatus[];
}

type DriftConfig = Pick<Config, 'drift_interval_ms' | 'drift_baseline' | 'drift_threshold'>;

export function driftStatus(states: ViewState[], config: DriftConfig, asOf: Micros | null): DriftStatus {
  return {
    as_of: asOf === null ? null : formatTime(asOf),
    interval_ms: config.drift_interval_ms,
    views: states.map(({ view, window }) => ({
      view: view.name,
      version: view.version,
      baseline_n: window.baselineRows,
      baseline_max: config.drift_baseline,
      window_n: window.windowRows,
    })),
    features: states.flatMap((state) =>
      state.features.map((feature) => featureStatus(state, feature, config.drift_threshold)),
    ),
  };
}

function featureStatus({ view, window }: ViewState, feature: FeatureState, threshold: number): FeatureStatus {
  const none = { n: 0, mean: null, std: null };
  const unscored: Score = {
    status: 'insufficient',
    score: null,
    mean_shift: null,
    cv_shift: null,
    range: null,
    baseline: { ...none, n: window.baselineRows },
    current: none,
  };
  const { status, score, ...evidence } = feature.score ?? unscored;
  return {
    view: view.name,
    version: view.version,
    feature: feature.name,
    status,
    score,
    threshold,
    drifting: score !== null && score > threshold,
    alert: feature.alert,
    baseline_n: evidence.baseline.n,
    current_n: evidence.current.n,
    ...evidence,
  };
}
