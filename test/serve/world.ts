/** The rooms values, cache, serve and push as the engine joins them, over a fleet that the test drives by hand. */
import { FeatureCache } from '../../src/cache/cache.ts';
import { EventClock, type TimerHandle, type Timers } from '../../src/clock.ts';
import type { ErrorBody } from '../../src/errors.ts';
import type { Job } from '../../src/fleet/job.ts';
import { Push } from '../../src/push/push.ts';
import type { Sink } from '../../src/push/sink.ts';
import type { OutputType, View } from '../../src/registry/view.ts';
import type { Collector, Query, RowState } from '../../src/serve/query.ts';
import { Serve } from '../../src/serve/serve.ts';
import type { AddedBatch } from '../../src/store/log-row.ts';
import { RowWriters } from '../../src/values/json.ts';
import { AS_OF, type ComputedBlock, POSITION, REVISION, ROW_HEADER, type Row } from '../../src/values/row.ts';
import { Touched } from '../../src/values/touched.ts';
import { Values } from '../../src/values/values.ts';
import { textFrame } from '../../src/ws/frame.ts';

export const SECOND = 1e6;

/** Timers that run only when the test moves time on. */
export class ManualTimers implements Timers {
  #nowMs = 0;
  #last = 0;
  readonly #pending = new Map<number, { atMs: number; callback: () => void }>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMicros(): number {
    return 1_000_000_000_000_000 + this.#nowMs * 1000;
  }

  setTimeout(callback: () => void, delayMs: number): TimerHandle {
    this.#last++;
    this.#pending.set(this.#last, { atMs: this.#nowMs + delayMs, callback });
    return this.#last;
  }

  clearTimeout(handle: TimerHandle): void {
    this.#pending.delete(handle as number);
  }

  get pending(): number {
    return this.#pending.size;
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = [...this.#pending].sort((a, b) => a[1].atMs - b[1].atMs || a[0] - b[0])[0];
      if (next === undefined || next[1].atMs > untilMs) break;
      this.#pending.delete(next[0]);
      this.#nowMs = next[1].atMs;
      next[1].callback();
    }
    this.#nowMs = untilMs;
  }
}

export function makeView(over: Partial<View> = {}, outputs: OutputType[] = ['int64', 'float64']): View {
  return {
    name: 'airport_delay',
    version: 'v1',
    hash: '0123456789abcdef',
    plan: {
      entity: 'airport',
      sources: [{ name: 'departures', template: [''], timestamp: 'date', fields: [], retention: 1e12 }],
      features: [],
      order: [],
    },
    features: outputs.map((output, i) => ({ name: i === 0 ? 'events' : `f${i}`, output })),
    request: [],
    deprecated: null,
    ttl: 300 * SECOND,
    exact: false,
    updateAgeOnGet: false,
    staleWhileRevalidate: 0,
    history: 1000 * SECOND,
    description: '',
    ...over,
  };
}

/** A block with the given rows: each an entity id and its values. */
export function makeBlock(
  view: View,
  asOf: number,
  position: number,
  rows: [string, number[]][],
  validUntil = Number.NaN,
): ComputedBlock {
  return {
    view,
    asOf,
    position,
    n: rows.length,
    entityIds: rows.map(([id]) => id),
    values: Float64Array.from(rows.flatMap(([, values]) => values)),
    strings: null,
    validUntil: new Float64Array(rows.length).fill(validUntil),
    eventTime: new Float64Array(rows.length).fill(Number.NaN),
  };
}

export interface Answered {
  state?: RowState;
  events?: number;
  position?: number;
  asOf?: number;
  revision?: number;
  error?: ErrorBody;
}

/** Keeps the answers, read from each row during the call. */
export class Answers implements Collector {
  readonly rows: (Answered | undefined)[] = [];
  readonly twice: number[] = [];
  doneCount = 0;

  row(index: number, { slab, base }: Row, state: RowState): void {
    this.#keep(index, {
      state,
      events: slab[base + ROW_HEADER]!,
      position: slab[base + POSITION]!,
      asOf: slab[base + AS_OF]!,
      revision: slab[base + REVISION]!,
    });
  }

  failed(index: number, error: ErrorBody): void {
    this.#keep(index, { error });
  }

  #keep(index: number, answered: Answered): void {
    if (this.rows[index] !== undefined) this.twice.push(index);
    this.rows[index] = answered;
  }
}

export interface Frame {
  jobs: Job[];
  asOf: number;
  position: number;
}

/** A connection that keeps what it is handed. */
export class KeptSink implements Sink {
  congested = false;
  readonly queued: (Buffer | object)[] = [];
  readonly written: (Buffer | object)[] = [];
  flushes = 0;

  update(frame: Buffer): void {
    this.queued.push(frame);
  }

  control(message: object): void {
    this.queued.push(message);
  }

  flush(): void {
    this.flushes++;
    this.written.push(...this.queued.splice(0));
  }

  /** Messages written since the last call. */
  take(): Record<string, unknown>[] {
    return this.written.splice(0).map((item) => (Buffer.isBuffer(item) ? parseFrame(item) : { ...item }));
  }
}

/** The JSON of one unmasked, final text frame; throws where it is none. */
export function parseFrame(frame: Buffer): Record<string, unknown> {
  if (frame[0] !== 0x81) throw new Error('not a final text frame');
  const short = frame[1]!;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  const length = short < 126 ? short : short === 126 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
  if (frame.length !== start + length) throw new Error(`a frame of ${frame.length} bytes announces ${length}`);
  return JSON.parse(frame.toString('utf8', start)) as Record<string, unknown>;
}

export interface WorldOptions {
  view?: View;
  entriesMax?: number;
  bytesMax?: number;
}

/**
 * A feature of a request is the input of the same place. The first feature of a computed row is the number of events that its entity has up to the row's position: the oracle
 * for "never the past". A second one is what the test puts into `extra`.
 */
export class World {
  readonly view: View;
  readonly clock = new EventClock();
  readonly timers = new ManualTimers();
  readonly touched = new Touched();
  readonly writers = new RowWriters();
  readonly cache: FeatureCache;
  readonly values: Values;
  readonly serve: Serve;
  readonly push: Push;
  /** Asked for and not sent yet. */
  queue: Job[] = [];
  readonly extra = new Map<string, number>();
  validUntil = Number.NaN;
  head = 0;
  clockAt: (position: number) => Promise<number> = () => Promise.resolve(this.clock.now());
  readonly deferred: (() => void)[] = [];
  readonly #codes = new Map<string, number>();
  readonly #events: string[] = [];

  constructor({ view = makeView(), entriesMax = 1000, bytesMax = 1e9 }: WorldOptions = {}) {
    this.view = view;
    const { clock, timers, touched, writers } = this;
    const codes = { codeOf: (_: string, id: string) => this.#codes.get(id) ?? -1 };
    const compute = (jobs: Job[]) => void this.queue.push(...jobs);
    this.cache = new FeatureCache({ clock, touched, codes, writers, entriesMax, bytesMax });
    this.values = new Values({
      cache: this.cache,
      wallMicros: () => timers.wallMicros(),
      onRow: (row, _code, changed) => this.push.onRow(row, changed),
    });
    this.serve = new Serve({
      clock,
      timers,
      cache: this.cache,
      touched,
      codes,
      values: this.values,
      head: () => this.head,
      clockAt: (position) => this.clockAt(position),
      compute,
      idProblem: (id) => (id === '' ? 'an entity id is never empty' : null),
    });
    this.push = new Push({
      clock,
      clockMode: 'event',
      timers,
      touched,
      codes,
      compute,
      peek: (of, id) => this.cache.peek(of, id),
      makeFrame: textFrame,
      defer: (callback) => this.deferred.push(callback),
    });
    clock.advance(1000 * SECOND);
  }

  query(entityIds: string[], over: Partial<Query> = {}): Query {
    return {
      view: this.view,
      select: null,
      entityIds,
      timeoutMs: 5000,
      asOf: null,
      position: null,
      minPosition: 0,
      ...over,
    };
  }

  get(entityIds: string[], over: Partial<Query> = {}): Answers {
    const answers = new Answers();
    this.serve.get(this.query(entityIds, over), answers, () => answers.doneCount++);
    return answers;
  }

  /** Commits one event for each id, as the engine publishes it. */
  commit(...ids: string[]): void {
    for (const id of ids) {
      if (!this.#codes.has(id)) {
        this.#codes.set(id, this.#codes.size);
        this.push.named('airport', this.#codes.get(id)!, [id]);
      }
      this.#events.push(id);
    }
    this.head += ids.length;
    const codes = Int32Array.from(ids, (id) => this.#codes.get(id)!);
    this.touched.touch('departures', 'airport', codes, this.head);
    const touched = [{ entity: 'airport', codes }];
    this.queue.push(...this.push.jobs([{ source: 'departures', touched } as unknown as AddedBatch]));
    this.serve.committed();
  }

  /** The jobs that wait leave in one frame. */
  send(): Frame {
    const jobs = this.queue;
    this.queue = [];
    for (const job of jobs) {
      job.sentPosition = this.head;
      job.code = this.#codes.get(job.entityId) ?? -1;
    }
    return { jobs, asOf: this.clock.now(), position: this.head };
  }

  /** The answer to a frame comes. */
  land({ jobs, asOf, position }: Frame): void {
    const live = jobs.filter((job) => job.at === null && job.request === undefined);
    if (live.length > 0) this.#deliver(live, asOf, position, true);
    for (const job of jobs) {
      if (job.at !== null) this.#deliver([job], job.at.asOf, job.at.position, false);
      else if (job.request !== undefined) this.#deliver([job], asOf, position, true);
    }
    this.push.flush();
  }

  /** Sends and answers until nothing is asked for any more. */
  settle(): void {
    for (let i = 0; i < 20 && this.queue.length > 0; i++) this.land(this.send());
  }

  eventsOf(id: string, position: number): number {
    return this.#events.slice(0, position).filter((event) => event === id).length;
  }

  #deliver(jobs: Job[], asOf: number, position: number, live: boolean): void {
    const rows = jobs.map(({ entityId, request }): [string, number[]] => {
      const values = [this.eventsOf(entityId, position), this.extra.get(entityId) ?? 0.5];
      return [entityId, [...values.slice(0, this.view.features.length), ...((request?.inputs ?? []) as number[])]];
    });
    const block = makeBlock(jobs[0]!.view, asOf, position, rows, this.validUntil);
    if (jobs[0]!.request !== undefined) block.ofRequest = true;
    if (live && !block.ofRequest) {
      this.values.accept(
        block,
        jobs.map((job) => job.code),
      );
    }
    this.serve.computed(block, jobs, live);
    this.push.computed(jobs);
  }
}
