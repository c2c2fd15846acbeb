import type { Alert } from '../alerts/alert.ts';
import type { Observation, Reading } from '../alerts/alerts.ts';
import type { LifecycleState } from '../alerts/lifecycle.ts';
import type { Clock, Micros, TimerHandle, Timers } from '../clock.ts';
import type { Config } from '../config.ts';
import type { View } from '../registry/view.ts';
import type { Row } from '../values/row.ts';
import { ViewTags } from '../values/view-tags.ts';
import { ActiveEntities } from './active.ts';
import type { Score } from './score.ts';
import type { ScoreResult, ScoreTask } from './score-thread.ts';
import { driftStatus, type FeatureState } from './status.ts';
import { SampleWindow } from './window.ts';

const SCORE_THREAD = new URL(
  import.meta.url.endsWith('.ts') ? './score-thread.ts' : './score-thread.js',
  import.meta.url,
).href;
const FEATURE_ALERT = 'feature_drift';
const VIEW_ALERT = 'drift_detected';
/** How many features of a view must drift for its critical alert. */
const FEATURES_CRITICAL = 3;
/** How often a timer looks at the clock, at most: a commit looks too. */
const LOOK_MS_MAX = 1000;
/** A tick that took this long is given up: the vectors that did not come are left out. */
const TICK_TIMEOUT_MS = 30_000;
/** After a tick this many times its own duration is left to other work, so that a clock that races takes a tenth. */
const REST = 9;

/** A pool of threads, as Piscina is one. */
export interface Pool {
  run(task: ScoreTask, options: { filename: string }): Promise<ScoreResult>;
}

export interface DriftOptions {
  config: Pick<
    Config,
    'drift_interval_ms' | 'drift_window' | 'drift_baseline' | 'drift_entities_max' | 'drift_threshold'
  >;
  clock: Clock;
  timers: Timers;
  views: View[];
  pool: Pool;
  /**
   * Computes the current vectors of these entities; each comes back through {@link Drift.onRow}. Calls `done` once,
   * when all have come or failed.
   */
  sample: (view: View, codes: number[], done: () => void) => void;
  alerts: {
    observe(observation: Observation, asOf: Micros): LifecycleState[];
    retire(isKnown: (alert: Alert) => boolean, asOf: Micros): void;
    firing(): Alert[];
  };
  /** Uniform in [0, 1). */
  random: () => number;
  onError: (error: unknown) => void;
}

/** What is known of one view version. */
interface ViewState {
  view: View;
  active: ActiveEntities;
  window: SampleWindow;
  features: FeatureState[];
  /** Codes whose vectors this tick still waits for. */
  wanted: Set<number>;
}

/**
 * Drift detection: at each tick of the engine's clock one vector of each entity that events touched since the tick
 * before goes into its view's window; a thread scores the window against the baseline; alerts follow.
 *
 * One tick at a time. Where the clock leaps over several, one is run; where a view got no vector, its scores and alerts
 * stay as they are.
 */
export class Drift {
  readonly #options: DriftOptions;
  readonly #tags = new ViewTags();
  /** By tag: what a version's definition has gathered outlives a change of its options. */
  #states = new Map<string, ViewState>();
  /** Engine time of the next tick; null while stopped. */
  #due: Micros | null = null;
  /** Number of the tick under way, or null. */
  #open: number | null = null;
  #ticks = 0;
  /** Monotonic time before which no tick begins. */
  #restUntilMs = 0;
  #timer: TimerHandle = null;
  /** Of the tick under way. */
  #deadline: TimerHandle = null;
  #lastAsOf: Micros | null = null;

  constructor(options: DriftOptions) {
    this.#options = options;
    this.#follow(options.views);
  }

  /** Other views are served: the windows of those that are no more go, and their alerts are resolved. */
  reload(views: readonly View[]): void {
    this.#follow(views);
    this.#options.alerts.retire((alert) => this.#isKnown(alert), this.#options.clock.now());
  }

  #follow(views: readonly View[]): void {
    const { config, random } = this.#options;
    const before = this.#states;
    this.#states = new Map();
    for (const view of views) {
      const tag = this.#tags.of(view);
      const known = before.get(tag);
      if (known !== undefined) {
        known.view = view;
        this.#states.set(tag, known);
        continue;
      }
      const window = new SampleWindow(view, config.drift_baseline, config.drift_window);
      if (window.features.length === 0) continue;
      const features: FeatureState[] = window.features.map((name) => ({ name, score: null, alert: 'inactive' }));
      const active = new ActiveEntities(config.drift_entities_max, random);
      this.#states.set(tag, { view, active, window, features, wanted: new Set() });
    }
  }

  /**
   * The first tick is the next multiple of the interval on the engine's clock. Alerts that were left firing by views
   * and features that are no more are resolved.
   */
  start(): void {
    const { clock, alerts } = this.#options;
    const now = clock.now();
    alerts.retire((alert) => this.#isKnown(alert), now);
    for (const alert of alerts.firing()) this.#takeOver(alert);
    this.#due = this.#after(now);
    this.#look();
  }

  /** An alert of a feature that fired when the engine was stopped fires still. */
  #takeOver({ name, labels }: Alert): void {
    if (name !== FEATURE_ALERT) return;
    for (const { view, features } of this.#states.values()) {
      if (view.name !== labels['view'] || view.version !== labels['version']) continue;
      const feature = features.find((one) => one.name === labels['feature']);
      if (feature !== undefined) feature.alert = 'firing';
    }
  }

  stop(): void {
    const { timers } = this.#options;
    this.#due = null;
    this.#open = null;
    timers.clearTimeout(this.#timer);
    timers.clearTimeout(this.#deadline);
  }

  /** Events that are not late touched these entities. */
  touch(source: string, entity: string, codes: Int32Array): void {
    for (const { view, active } of this.#states.values()) {
      const { plan } = view;
      if (plan.entity === entity && plan.sources.some(({ name }) => name === source)) active.add(codes);
    }
  }

  /** The clock may have moved: begins a tick where one is due. */
  advance(): void {
    const { clock, timers } = this.#options;
    const asOf = clock.now();
    if (this.#due === null || asOf < this.#due || this.#open !== null || timers.monotonicMs() < this.#restUntilMs)
      return;
    this.#due = this.#after(asOf);
    this.#tick(asOf);
  }

  /** Told of each new row; those that the tick asked for go into the window. Reads the row during the call only. */
  onRow(row: Row, code: number): void {
    const state = this.#states.get(this.#tags.of(row.view));
    if (state?.wanted.delete(code)) state.window.add(row);
  }

  /** What `GET /drift` shows. */
  status(): ReturnType<typeof driftStatus> {
    return driftStatus([...this.#states.values()], this.#options.config, this.#lastAsOf);
  }

  #isKnown({ name, labels }: Alert): boolean {
    if (name !== FEATURE_ALERT && name !== VIEW_ALERT) return true;
    return [...this.#states.values()].some(
      ({ view, window }) =>
        view.name === labels['view'] &&
        view.version === labels['version'] &&
        (name === VIEW_ALERT || window.features.includes(labels['feature'] ?? '')),
    );
  }

  #after(now: Micros): Micros {
    const interval = this.#options.config.drift_interval_ms * 1000;
    return (Math.floor(now / interval) + 1) * interval;
  }

  #look(): void {
    const { config, timers } = this.#options;
    this.#timer = timers.setTimeout(
      () => {
        this.advance();
        this.#look();
      },
      Math.min(config.drift_interval_ms, LOOK_MS_MAX),
    );
  }

  #tick(asOf: Micros): void {
    const { timers, sample } = this.#options;
    const begunMs = timers.monotonicMs();
    const number = ++this.#ticks;
    this.#open = number;
    const samples = [...this.#states.values()]
      .map((state) => ({ state, codes: state.active.take() }))
      .filter(({ codes }) => codes.length > 0);
    const states = samples.map(({ state }) => state);
    let waiting = samples.length;

    const gathered = () => {
      if (this.#open !== number) return;
      timers.clearTimeout(this.#deadline);
      for (const state of states) state.wanted.clear();
      this.#score(states, asOf, number).then(() => {
        if (this.#open !== number) return;
        this.#open = null;
        this.#lastAsOf = asOf;
        const nowMs = timers.monotonicMs();
        this.#restUntilMs = nowMs + REST * (nowMs - begunMs);
      }, this.#options.onError);
    };
    this.#deadline = timers.setTimeout(() => {
      waiting = 0;
      gathered();
    }, TICK_TIMEOUT_MS);
    for (const { state, codes } of samples) {
      state.wanted = new Set(codes);
      sample(state.view, codes, () => {
        waiting -= 1;
        if (waiting === 0) gathered();
      });
    }
    if (samples.length === 0) gathered();
  }

  /** @returns once all views are scored, and those that failed are told of */
  async #score(states: ViewState[], asOf: Micros, number: number): Promise<void> {
    const { pool, onError } = this.#options;
    const scored = states.map(async (state) => {
      const task = state.window.task();
      if (task === null) return;
      const { frozen, scores } = await pool.run(task, { filename: SCORE_THREAD });
      if (this.#open !== number || this.#states.get(this.#tags.of(state.view)) !== state) return;
      state.window.frozen = frozen;
      this.#observe(state, scores, asOf);
    });
    for (const outcome of await Promise.allSettled(scored)) {
      if (outcome.status === 'rejected') onError(outcome.reason);
    }
  }

  #observe({ view, features }: ViewState, scores: Score[], asOf: Micros): void {
    const threshold = this.#options.config.drift_threshold;
    const labels = { view: view.name, version: view.version };
    const parts = features.map(({ name }, i): Reading => {
      const { score, ...evidence } = scores[i]!;
      return {
        name: FEATURE_ALERT,
        labels: { ...labels, feature: name },
        severity: 'warning',
        threshold,
        value: score,
        evidence,
      };
    });
    const whole = { name: VIEW_ALERT, labels, severity: 'critical', threshold: FEATURES_CRITICAL } as const;
    const alerts = this.#options.alerts.observe({ parts, whole }, asOf);
    for (const [i, feature] of features.entries()) {
      feature.score = scores[i]!;
      feature.alert = alerts[i]!;
    }
  }
}
