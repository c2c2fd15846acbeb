/** The circumstances of a schedule: its sizes and limits, how often what goes wrong, and what happens how often. */
import type { Config } from '../../src/config.ts';
import type { CrewWeather } from './crew.ts';
import type { Random } from './random.ts';
import type { ClockKind } from './shop.ts';

/** Shutting down takes no longer. */
export const DRAIN_MS = 8000;

export type Action =
  | 'send'
  | 'retry'
  | 'get'
  | 'getCrowd'
  | 'hot'
  | 'connect'
  | 'subscribe'
  | 'unsubscribe'
  | 'close'
  | 'reconnect'
  | 'drainSome'
  | 'kill'
  | 'hang'
  | 'doom'
  | 'shiftWall'
  | 'crash'
  | 'reload';

/** What a seed decides before anything happens. */
export interface Plan {
  clock: ClockKind;
  config: Partial<Config>;
  weather: CrewWeather;
  calm: boolean;
  roomy: boolean;
  commitMsMax: number;
  weights: Record<Action, number>;
}

const CLEAR = { death: 0, hang: 0, failure: 0 };

export function planOf(random: Random): Plan {
  const calm = random.chance(0.3);
  const roomy = random.chance(0.5);
  const narrow = !calm && random.chance(0.15);
  const config: Partial<Config> = {
    workers: random.int(1, 3),
    shards: random.int(3, 9),
    cache_entries_max: roomy ? 10_000 : random.pick([1, 3, 6, 12, 700]),
    memory_guard_bytes: roomy ? 0 : 1,
    cache_purge_interval_ms: random.pick([500, 30_000]),
    hang_ms: 1500,
    start_ms: 1500,
    restart_backoff_ms_max: 150,
    pending_jobs_max: narrow ? random.int(2, 6) : 10_000,
    rows_per_frame_max: random.pick(calm ? [1000] : [1, 3, 1000]),
    frame_bytes_max: random.pick(calm ? [1000, 1e6] : [100, 1000, 1e6]),
    pending_apply_bytes_max: random.pick([300, 3000, 1e6, 1e6]),
    commit_bytes_max: random.pick([64, 1000, 1e6]),
    drift_interval_ms: random.pick([2000, 60_000]),
    drift_window: 8,
    drift_baseline: 8,
    drift_entities_max: 4,
    drain_ms: DRAIN_MS,
  };
  const slow = !calm && random.chance(0.4);
  const faults = calm
    ? CLEAR
    : { death: random.pick([0, 0.01, 0.05]), hang: random.pick([0, 0.005]), failure: random.pick([0, 0, 0.02]) };
  const weather = { delayMsMax: random.pick([1, 20, 150]), workMsMax: slow ? 900 : random.pick([2, 60]), ...faults };
  const chaos = calm ? 0 : 1;
  return {
    clock: random.pick(['event', 'event', 'orders', 'wall', 'wall']),
    config,
    weather,
    calm,
    roomy,
    commitMsMax: random.pick([1, 15, 300]),
    weights: {
      send: 10,
      retry: 2.5,
      get: 12,
      getCrowd: config.cache_entries_max === 700 ? 1.5 : 0.05,
      hot: 2,
      connect: 1,
      subscribe: 2,
      unsubscribe: 1,
      close: 0.4,
      reconnect: 0.6,
      drainSome: 2,
      kill: chaos,
      hang: chaos * 0.3,
      doom: chaos * 0.5,
      shiftWall: 0.3,
      crash: chaos * 0.15,
      reload: 0.8,
    },
  };
}
