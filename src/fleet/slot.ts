import { type Assignment, shardsOf } from './assignment.ts';
import type { InFlight, Outbox } from './outbox.ts';
import { processUsage } from './process-usage.ts';
import type { WorkerStatus } from './status.ts';
import type { Worker } from './worker.ts';

/** One place in the fleet: the worker that fills it, what waits for it, and what it last said of itself. */
export interface Slot {
  readonly worker: Worker;
  readonly outbox: Outbox;
  inFlight: InFlight | null;
  /** How far its worker has the log. */
  position: number;
  rows: number;
  loading: { loaded: number; total: number } | null;
  /** Rows that it has answered since the engine's start. */
  computed: number;
}

export function slotStatus(slot: Slot, assignment: Assignment, nowMs: number): WorkerStatus {
  const { worker, outbox } = slot;
  return {
    slot: worker.slot,
    identity: worker.identity,
    pid: worker.pid,
    state: worker.state,
    shards: shardsOf(assignment, worker.slot).map(([shard]) => shard),
    position: slot.position,
    loading: slot.loading,
    queue: outbox.jobs.length,
    queue_bytes: outbox.bytes,
    in_flight_ms: worker.inFlightMs(nowMs),
    restarts: worker.restarts,
    last_error: worker.lastError,
    loaded_rows: slot.rows,
    computed: slot.computed,
    usage: worker.pid === 0 ? null : processUsage(worker.pid),
  };
}
