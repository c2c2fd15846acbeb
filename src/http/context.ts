import type { Logger } from 'pino';
import type { Timers } from '../clock.ts';
import type { Config } from '../config.ts';
import type { EdgeMetrics, Service } from '../wire/service.ts';

/** What all routes share. */
export interface HttpContext {
  service: Service;
  config: Config;
  metrics: EdgeMetrics;
  /** The Prometheus text. */
  metricsText: () => Promise<string>;
  timers: Timers;
  log: Logger;
  /** No new work is taken. */
  draining: () => boolean;
}
