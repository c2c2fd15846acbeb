import type { TimerHandle } from '../clock.ts';
import type { Waiter } from './flight.ts';
import type { Collector, Query } from './query.ts';

/** A request that could not be answered in the turn in which it came. */
export class Request {
  readonly query: Query;
  readonly collector: Collector;
  readonly deadlineMs: number;
  /** One for each entity that is waited for; none while the request itself waits for the head or a clock. */
  readonly waiters: Waiter<Request>[] = [];
  started = false;
  closed = false;
  timer: TimerHandle = null;
  readonly #done: () => void;
  /** Entities to be answered, and one for as long as more may be added. */
  #pending = 1;

  constructor(query: Query, collector: Collector, done: () => void, deadlineMs: number) {
    this.query = query;
    this.collector = collector;
    this.deadlineMs = deadlineMs;
    this.#done = done;
  }

  /** Only such a request may be answered with a row that is not current; one whose features the fleet makes finds none. */
  get takesStale(): boolean {
    const { asOf, position, minPosition, request } = this.query;
    return asOf === null && position === null && minPosition === 0 && request?.fleet !== true;
  }

  add(waiter: Waiter<Request>): void {
    this.waiters.push(waiter);
    this.#pending++;
  }

  /** One entity is answered, or the last was added. @returns whether that was all */
  settle(): boolean {
    this.#pending--;
    return this.#pending === 0;
  }

  close(): void {
    this.closed = true;
    this.#done();
  }
}
