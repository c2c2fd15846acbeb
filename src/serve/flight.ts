import type { Micros } from '../clock.ts';
import type { Job } from '../fleet/job.ts';
import { AS_OF, isOver, POSITION, type Row } from '../values/row.ts';

/** One entity of one request that waits for its row. */
export interface Waiter<Request extends { deadlineMs: number }> {
  request: Request;
  /** Its place in the request. */
  index: number;
  entityId: string;
  /** The row must hold the events up to here: the last that touched the entity, or what the request demands. */
  need: number;
  /** The engine's clock when it was asked. */
  since: Micros;
  /** Null once it is answered. */
  flight: Flight<Request> | null;
}

/** The computations under way for one key, and all who wait for them: one for as long as no event comes in between. */
export class Flight<Request extends { deadlineMs: number }> {
  readonly key: string;
  readonly waiters = new Set<Waiter<Request>>();
  /** Those that have not come back, the newest last. */
  readonly jobs: Job[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /** Whether the newest job's row will hold the events up to `need`: it has not left yet, or left with them. */
  carries(need: number): boolean {
    const job = this.jobs.at(-1);
    return job !== undefined && (job.sentPosition === undefined || job.sentPosition >= need);
  }

  /** @returns whether the job was this flight's */
  returned(job: Job): boolean {
    const at = this.jobs.indexOf(job);
    if (at >= 0) this.jobs.splice(at, 1);
    return at >= 0;
  }

  join(waiter: Waiter<Request>): void {
    this.waiters.add(waiter);
    waiter.flight = this;
    const job = this.jobs.at(-1);
    if (job !== undefined) job.deadlineMs = Math.max(job.deadlineMs, waiter.request.deadlineMs);
  }

  leave(waiter: Waiter<Request>): void {
    this.waiters.delete(waiter);
    waiter.flight = null;
  }

  /** Takes out the waiters whom the row answers; without a row all of them: a row of one moment answers everyone. */
  land(row: Row | null): Waiter<Request>[] {
    const landed: Waiter<Request>[] = [];
    for (const waiter of this.waiters) {
      if (row !== null && !answers(row, waiter)) continue;
      this.leave(waiter);
      landed.push(waiter);
    }
    return landed;
  }
}

/**
 * Whether a row is as good as one computed when the waiter asked. A job that was under way then may have left before
 * an event, or so long before that its row is past the TTL.
 */
function answers(row: Row, { need, since }: { need: number; since: Micros }): boolean {
  const { view, slab, base } = row;
  return slab[base + POSITION]! >= need && slab[base + AS_OF]! + view.ttl >= since && !isOver(row, since);
}
