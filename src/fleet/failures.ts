import type { Timers } from '../clock.ts';
import type { View } from '../registry/view.ts';
import type { FeatureFailure } from '../wire/frames.ts';
import { formatTime } from '../wire/time.ts';
import type { Logger } from './logger.ts';

/** One kind of failure of a Python feature, as `GET /fleet` shows it. */
export interface FailureStatus {
  view: string;
  version: string;
  feature: string;
  reason: FeatureFailure['reason'];
  /** Values that are null for it, since the definition is served. */
  rows: number;
  /** Of the newest: where, and what. */
  message: string;
  /** Of the newest, ISO 8601. */
  as_of: string;
}

interface Kind {
  hash: string;
  status: FailureStatus;
  loggedMs: number;
  /** Rows since it was last logged. */
  unlogged: number;
}

/** A kind of failure that goes on is logged so often. */
const LOG_EVERY_MS = 60_000;

/** What went wrong in Python features, by kind: counted always, logged when new and then now and then. */
export class Failures {
  readonly #logger: Logger;
  readonly #timers: Timers;
  readonly #kinds = new Map<string, Kind>();

  constructor(logger: Logger, timers: Timers) {
    this.#logger = logger;
    this.#timers = timers;
  }

  /** @param asOf of the values that are null for them, microseconds */
  record({ name, version, hash, plan }: View, asOf: number, failures: readonly FeatureFailure[]): void {
    for (const { feature, reason, rows, message } of failures) {
      const of = plan.features[feature]?.name ?? String(feature);
      const key = `${name}@${version}:${of} ${reason} ${hash}`;
      const status = { view: name, version, feature: of, reason, rows, message, as_of: formatTime(asOf) };
      const known = this.#kinds.get(key);
      if (known === undefined) {
        const loggedMs = this.#timers.monotonicMs();
        this.#kinds.set(key, { hash, status, loggedMs, unlogged: 0 });
        this.#logger.warn(fieldsOf(status), 'a Python feature failed');
      } else this.#again(known, status);
    }
  }

  status(): FailureStatus[] {
    return [...this.#kinds.values()].map(({ status }) => status);
  }

  /** Forgets those of definitions that are not served any more. */
  keep(hashes: ReadonlySet<string>): void {
    for (const [key, { hash }] of this.#kinds) if (!hashes.has(hash)) this.#kinds.delete(key);
  }

  #again(known: Kind, status: FailureStatus): void {
    known.unlogged += status.rows;
    status.rows += known.status.rows;
    known.status = status;
    const nowMs = this.#timers.monotonicMs();
    if (nowMs - known.loggedMs < LOG_EVERY_MS) return;
    this.#logger.warn({ ...fieldsOf(status), rows: known.unlogged }, 'a Python feature still fails');
    known.loggedMs = nowMs;
    known.unlogged = 0;
  }
}

const fieldsOf = ({ view, version, feature, reason, rows, message }: FailureStatus) => ({
  view: `${view}@${version}`,
  feature,
  reason,
  rows,
  error: message,
});
