import type { FeatureCache } from '../cache/cache.ts';
import type { Clock, Micros, Timers } from '../clock.ts';
import { type ErrorBody, HeadraceError } from '../errors.ts';
import type { Job } from '../fleet/job.ts';
import type { View } from '../registry/view.ts';
import type { Codes } from '../values/codes.ts';
import { type ComputedBlock, POSITION, type Row } from '../values/row.ts';
import type { Touched } from '../values/touched.ts';
import { ViewTags } from '../values/view-tags.ts';
import { asHeadraceError } from '../wire/checks.ts';
import { formatTime } from '../wire/time.ts';
import { Flight, type Waiter } from './flight.ts';
import type { Collector, Query } from './query.ts';
import { Request } from './request.ts';

/** What a client is told to wait before it asks again. */
const RETRY_AFTER_MS = 1000;
/** How long a renewal behind a stale answer may take. */
const RENEW_MS = 5000;
/** Requests that wait for the log to reach their `min_position`. */
const UNTIL_HEAD_MAX = 10_000;

export interface ServeOptions {
  clock: Clock;
  timers: Timers;
  cache: FeatureCache;
  touched: Pick<Touched, 'lastTouch'>;
  codes: Codes;
  values: { detachedRow(block: ComputedBlock, i: number, live: boolean): Row };
  /** Position of the newest durable event. */
  head: () => number;
  /** The engine's clock as it stood after the event at a position. */
  clockAt: (position: number) => Promise<Micros>;
  /** Each job comes back through {@link Serve.computed} or {@link Serve.failed}, once. */
  compute: (jobs: Job[]) => void;
  /** Why a text cannot be an entity id; null where it can. */
  idProblem: (entityId: string) => string | null;
}

/** Requests: from the cache where it has a fresh row, else by one computation for all who ask meanwhile. */
export class Serve {
  readonly counters = { jobs: 0, joined: 0, stale: 0, unavailable: 0 };
  readonly #options: ServeOptions;
  readonly #tags = new ViewTags();
  readonly #flights = new Map<string, Flight<Request>>();
  readonly #untilHead = new Set<Request>();
  #lastOwn = 0;

  constructor(options: ServeOptions) {
    this.#options = options;
  }

  /** Keys under computation. */
  get flights(): number {
    return this.#flights.size;
  }

  /**
   * Answers each entity of the query once, in any order, then calls `done`; where every row is in the cache, before it
   * returns.
   * @throws HeadraceError `unknown_position`, `as_of_out_of_history`, `bad_request` or `overloaded`, and then neither
   * the collector nor `done` is called
   */
  get(query: Query, collector: Collector, done: () => void): void {
    this.#check(query);
    if (query.minPosition > this.#options.head()) {
      this.#refuseTooManyUntilHead();
      this.#untilHead.add(this.#open(query, collector, done));
    } else if (query.asOf !== null || query.position !== null) {
      this.#atMoment(this.#open(query, collector, done));
    } else {
      this.#now(query, collector, null, done);
    }
  }

  /** The whole row as JSON where a fresh one is in the cache: the short way for one entity. Counts as a hit. */
  hotText(view: View, entityId: string): string | null {
    const { cache, clock } = this.#options;
    const row = cache.hit(view, entityId, clock.now());
    return row === undefined ? null : cache.text(row);
  }

  /** The head of the log has moved: requests that waited for it go on. */
  committed(): void {
    if (this.#untilHead.size === 0) return;
    const head = this.#options.head();
    for (const request of this.#untilHead) {
      const { query, collector } = request;
      if (query.minPosition > head) continue;
      this.#untilHead.delete(request);
      if (query.asOf !== null || query.position !== null) this.#atMoment(request);
      else this.#now(query, collector, request, () => undefined);
    }
  }

  /**
   * Rows have come; live ones have been accepted before, so that the cache has them.
   * @param jobs by row, who asked; a row answers whoever waits for its entity, whosever job it was
   * @param live whether the rows were computed for "now"
   */
  computed(block: ComputedBlock, jobs: readonly Job[], live: boolean): void {
    const again: Job[] = [];
    for (const [i, job] of jobs.entries()) {
      const flight = this.#flights.get(this.#keyOf(job));
      if (flight === undefined) continue;
      flight.returned(job);
      const row = flight.waiters.size > 0 ? this.#row(block, i, job, live) : null;
      const landed = row === null ? [] : flight.land(live ? row : null);
      this.#goOn(flight, job, again);
      for (const waiter of landed) {
        waiter.request.collector.row(waiter.index, row!, 'computed');
        this.#settle(waiter.request);
      }
    }
    this.#compute(again);
  }

  /** Jobs have come back without rows. */
  failed(jobs: readonly Job[], error: ErrorBody): void {
    for (const job of jobs) {
      const flight = this.#flights.get(this.#keyOf(job));
      // While another job of the flight is under way, it may still bring the row.
      if (flight === undefined || !flight.returned(job) || flight.jobs.length > 0) continue;
      this.#flights.delete(flight.key);
      for (const waiter of flight.land(null)) this.#fail(waiter, error);
    }
  }

  #check({ view, asOf, position, minPosition }: Query): void {
    const head = this.#options.head();
    if (position !== null && position > head) {
      throw new HeadraceError(
        'unknown_position',
        `position ${position} is beyond the log, which has reached ${head}; ask for one up to that`,
      );
    }
    if (position !== null && position < minPosition) {
      throw new HeadraceError(
        'bad_request',
        `position ${position} lies before min_position ${minPosition}; leave one of them out`,
      );
    }
    const tooOld = asOf === null ? null : this.#historyProblem(view, asOf, `as_of ${formatTime(asOf)} lies`);
    if (tooOld !== null) throw tooOld;
  }

  /** @param found the beginning of the sentence: what lies too early */
  #historyProblem(view: View, asOf: Micros, found: string): HeadraceError | null {
    const oldest = this.#options.clock.now() - view.history;
    if (asOf >= oldest) return null;
    return new HeadraceError(
      'as_of_out_of_history',
      `${found} before the history that is kept, which begins at ${formatTime(oldest)}; ask for that or later`,
    );
  }

  #refuseTooManyUntilHead(): void {
    if (this.#untilHead.size < UNTIL_HEAD_MAX) return;
    throw new HeadraceError(
      'overloaded',
      `${UNTIL_HEAD_MAX} requests wait for a min_position that the log has not reached; ask again later`,
      { retryAfterMs: RETRY_AFTER_MS },
    );
  }

  #open(query: Query, collector: Collector, done: () => void): Request {
    const { timers } = this.#options;
    const request = new Request(query, collector, done, timers.monotonicMs() + query.timeoutMs);
    request.timer = timers.setTimeout(() => this.#expire(request), query.timeoutMs);
    return request;
  }

  /** @param opened the request, where it is open already; else it is opened only if some row is missing */
  #now(query: Query, collector: Collector, opened: Request | null, done: () => void): void {
    const { cache, clock } = this.#options;
    const { view, entityIds, minPosition } = query;
    const shared = query.request?.fleet !== true;
    const now = clock.now();
    const jobs: Job[] = [];
    let request = opened;
    for (let i = 0; i < entityIds.length; i++) {
      const found = shared ? cache.find(view, entityIds[i]!, now) : undefined;
      if (found?.state === 'fresh' && found.row.slab[found.row.base + POSITION]! >= minPosition) {
        collector.row(i, found.row, 'cached');
      } else if (found?.state === 'stale' && minPosition === 0) {
        this.counters.stale++;
        collector.row(i, found.row, 'stale');
        this.#renew(view, entityIds[i]!, jobs);
      } else {
        request ??= this.#open(query, collector, done);
        this.#wait(request, i, null, jobs);
      }
    }
    if (request === null) {
      this.#compute(jobs);
      done();
    } else {
      this.#start(request, jobs);
    }
  }

  #atMoment(request: Request): void {
    const { view, asOf, position } = request.query;
    if (asOf !== null) {
      this.#startAt(request, asOf);
      return;
    }
    this.#options.clockAt(position!).then(
      (clock) => {
        if (request.closed) return;
        const tooOld = this.#historyProblem(view, clock, clockLies(position!, clock));
        if (tooOld === null) this.#startAt(request, clock);
        else this.#failWhole(request, tooOld.body());
      },
      (error: unknown) => this.#failWhole(request, asHeadraceError(error).body()),
    );
  }

  #startAt(request: Request, asOf: Micros): void {
    const jobs: Job[] = [];
    // Without a position: all that is known now, and the position says how much that was.
    const at = { asOf, position: request.query.position ?? this.#options.head() };
    for (let i = 0; i < request.query.entityIds.length; i++) this.#wait(request, i, at, jobs);
    this.#start(request, jobs);
  }

  #start(request: Request, jobs: Job[]): void {
    request.started = true;
    this.#compute(jobs);
    this.#settle(request);
  }

  /** Lets one entity of the request wait for its row, by a flight under way or a new job. */
  #wait(request: Request, index: number, at: Job['at'], jobs: Job[]): void {
    const { clock, codes, idProblem, touched } = this.#options;
    const { view, entityIds, minPosition, request: part } = request.query;
    const entityId = entityIds[index]!;
    const problem = idProblem(entityId);
    if (problem !== null) {
      request.collector.failed(index, new HeadraceError('invalid_entity_id', problem).body());
      return;
    }
    const code = codes.codeOf(view.plan.entity, entityId);
    const need = at !== null ? 0 : Math.max(minPosition, touched.lastTouch(view, code));
    const waiter: Waiter<Request> = { request, index, entityId, need, since: clock.now(), flight: null };
    request.add(waiter);
    const job: Job = { view, entityId, code, at, deadlineMs: request.deadlineMs, attempts: 0 };
    if (part?.fleet) job.request = { inputs: part.inputs, id: ++this.#lastOwn };
    const key = this.#keyOf(job);
    const flight = this.#flights.get(key) ?? this.#newFlight(key);
    if (flight.carries(need)) this.counters.joined++;
    else this.#ask(flight, job, jobs);
    flight.join(waiter);
  }

  /** Computes a row anew for nobody in particular. */
  #renew(view: View, entityId: string, jobs: Job[]): void {
    const code = this.#options.codes.codeOf(view.plan.entity, entityId);
    const deadlineMs = this.#options.timers.monotonicMs() + RENEW_MS;
    const job: Job = { view, entityId, code, at: null, deadlineMs, attempts: 0 };
    const key = this.#keyOf(job);
    if (!this.#flights.has(key)) this.#ask(this.#newFlight(key), job, jobs);
  }

  #newFlight(key: string): Flight<Request> {
    const flight = new Flight<Request>(key);
    this.#flights.set(key, flight);
    return flight;
  }

  #ask(flight: Flight<Request>, job: Job, jobs: Job[]): void {
    flight.jobs.push(job);
    jobs.push(job);
  }

  /** After a job came back: ends the flight, or asks again for those whom its row did not answer. */
  #goOn(flight: Flight<Request>, { view, entityId, at, request: part }: Job, again: Job[]): void {
    if (flight.jobs.length > 0) return;
    if (flight.waiters.size === 0) {
      this.#flights.delete(flight.key);
      return;
    }
    const code = this.#options.codes.codeOf(view.plan.entity, entityId);
    let deadlineMs = 0;
    for (const { request } of flight.waiters) deadlineMs = Math.max(deadlineMs, request.deadlineMs);
    this.#ask(flight, { view, entityId, code, at, deadlineMs, attempts: 0, request: part }, again);
  }

  #compute(jobs: Job[]): void {
    if (jobs.length === 0) return;
    this.counters.jobs += jobs.length;
    this.#options.compute(jobs);
  }

  #row(block: ComputedBlock, i: number, job: Job, live: boolean): Row {
    const { cache, values } = this.#options;
    // Live rows are in the cache, with the revision that everyone sees, unless it could not hold them all.
    const kept = live && job.request === undefined ? cache.peek(job.view, job.entityId) : undefined;
    return kept ?? values.detachedRow(block, i, live);
  }

  #settle(request: Request): void {
    if (request.settle()) this.#close(request);
  }

  #close(request: Request): void {
    this.#options.timers.clearTimeout(request.timer);
    request.close();
  }

  #fail({ request, index, entityId }: Waiter<Request>, error: ErrorBody): void {
    const unavailable = error.code === 'unavailable';
    const row = unavailable && request.takesStale ? this.#options.cache.peek(request.query.view, entityId) : undefined;
    if (row !== undefined) {
      this.counters.stale++;
      request.collector.row(index, row, 'stale');
    } else {
      if (unavailable) this.counters.unavailable++;
      request.collector.failed(index, error);
    }
    this.#settle(request);
  }

  #failWhole(request: Request, error: ErrorBody): void {
    if (request.closed) return;
    for (let i = 0; i < request.query.entityIds.length; i++) request.collector.failed(i, error);
    this.#close(request);
  }

  /** The deadline has come: what is not answered gets a row that is not current, or an error. */
  #expire(request: Request): void {
    const { timeoutMs, minPosition } = request.query;
    if (!request.started) {
      this.#untilHead.delete(request);
      const waited =
        minPosition > this.#options.head() ? `the log has not reached position ${minPosition}` : 'no answer';
      this.#failWhole(request, unavailable(`${waited} within ${timeoutMs} ms; ask again`));
      return;
    }
    for (const waiter of request.waiters) {
      if (waiter.flight === null) continue;
      waiter.flight.leave(waiter);
      this.#fail(waiter, unavailable(`no value of ${waiter.entityId} within ${timeoutMs} ms; ask again`));
    }
  }

  /** Of one definition and entity for now, or for one moment; or of one request alone. */
  #keyOf({ view, entityId, at, request }: Job): string {
    const key = this.#tags.of(view) + entityId;
    // Entity ids hold no control characters, so no such key is another's.
    if (request !== undefined) return `${key}\n${request.id}`;
    return at === null ? key : `${key}\n${at.asOf},${at.position}`;
  }
}

/** Of a request that named a position alone, and so no time. */
function clockLies(position: number, clock: Micros): string {
  return position === 0
    ? 'at position 0 the log is empty, and its clock lies'
    : `the clock at position ${position}, ${formatTime(clock)}, lies`;
}

function unavailable(message: string): ErrorBody {
  return new HeadraceError('unavailable', message, { retryAfterMs: RETRY_AFTER_MS }).body();
}
