import type { FailureStatus } from './failures.ts';
import type { ProcessUsage } from './process-usage.ts';
import type { WorkerState } from './worker.ts';

/** One worker as `GET /fleet` shows it. */
export interface WorkerStatus {
  slot: number;
  identity: string;
  pid: number;
  state: WorkerState;
  /** The shards that it owns. */
  shards: number[];
  /** How far it has the log. */
  position: number;
  /** Events read and in all, while it loads; else null. */
  loading: { loaded: number; total: number } | null;
  /** Jobs that wait for it. */
  queue: number;
  /** Bytes of events that wait for it. */
  queue_bytes: number;
  /** Age of the frame that it is working on; null: none. */
  in_flight_ms: number | null;
  restarts: number;
  last_error: string | null;
  /** Rows that it read from the log when it was given its shards, over all keys. */
  loaded_rows: number;
  /** Values computed by it since the engine's start. */
  computed: number;
  /** Null where it does not run. */
  usage: ProcessUsage | null;
}

/** What `GET /fleet` shows. */
export interface FleetStatus {
  /** Every shard has an owner that takes work. */
  ready: boolean;
  /** Head of the log that the fleet knows. */
  position: number;
  shards: number;
  workers: WorkerStatus[];
  /** What goes wrong in Python features of the definitions that are served, by kind. */
  failures: FailureStatus[];
}
