/** One schedule: a seed decides everything that happens, and how the weather is. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { View } from '../../src/registry/view.ts';
import { Clients } from './clients.ts';
import { Engine } from './engine.ts';
import { Oracle } from './oracle.ts';
import { type Action, DRAIN_MS, type Plan, planOf } from './plan.ts';
import { Producers } from './producers.ts';
import { Random } from './random.ts';
import { Requests } from './requests.ts';
import { shopsOf } from './shop.ts';
import { VirtualTime } from './virtual-time.ts';
import type { World } from './world.ts';

const STEPS = 110;
const TRACE_LINES = 80;
/** In which all that was asked for has come, after the last fault. */
const SETTLE_MS = 30_000;
/** A promise was broken; the message says which, when, and how to see it again. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export interface Totals {
  events: number;
  requests: number;
  updates: number;
  deaths: number;
  reloads: number;
}

const ACTIONS: Record<Action, (schedule: Schedule) => void> = {
  send: (schedule) => schedule.producers.send(),
  retry: (schedule) => schedule.producers.retry(),
  get: (schedule) => schedule.requests.getSomething(),
  getCrowd: (schedule) => schedule.requests.getCrowd(),
  hot: (schedule) => schedule.requests.hot(),
  connect: (schedule) => schedule.clients.connect(),
  subscribe: (schedule) => schedule.clients.subscribe(),
  unsubscribe: (schedule) => schedule.clients.unsubscribe(),
  close: (schedule) => schedule.clients.close(),
  reconnect: (schedule) => schedule.clients.reconnect(),
  drainSome: (schedule) => schedule.clients.drainSome(),
  kill: (schedule) => schedule.kill(),
  hang: (schedule) => schedule.hang(),
  doom: (schedule) => schedule.doom(),
  shiftWall: (schedule) => schedule.shiftWall(),
  crash: (schedule) => schedule.crash(),
  reload: (schedule) => schedule.reload(),
};

class Schedule implements World {
  readonly seed: number;
  readonly random: Random;
  readonly time = new VirtualTime();
  registry: World['registry'];
  readonly ended: View[] = [];
  readonly oracle: Oracle;
  readonly calm: boolean;
  readonly roomy: boolean;
  readonly requests: Requests;
  readonly producers: Producers;
  readonly clients: Clients;
  engine: Engine;
  acked = 0;
  draining = false;
  deaths = 0;
  readonly #plan: Plan;
  readonly #shops: World['registry'][];
  #reloads = 0;
  readonly #folder: string;
  readonly #trace: string[] = [];
  #step = 'start';
  #starts = 0;
  #violation: Violation | null = null;

  constructor(seed: number, folder: string) {
    this.seed = seed;
    this.#folder = folder;
    this.random = new Random(seed);
    const plan = planOf(this.random);
    this.#plan = plan;
    this.calm = plan.calm;
    this.roomy = plan.roomy;
    this.#shops = shopsOf(plan.clock);
    this.registry = this.#shops[0]!;
    this.oracle = new Oracle(this.registry);
    this.requests = new Requests(this);
    this.producers = new Producers(this, this.requests);
    this.clients = new Clients(this);
    this.engine = this.#start();
  }

  readonly trace = (line: string): void => {
    this.#trace.push(`${this.time.monotonicMs().toFixed(3)} ms  ${line}`);
    if (this.#trace.length > TRACE_LINES) this.#trace.shift();
  };

  readonly fail = (why: string): void => {
    const weather = JSON.stringify({ ...this.#plan, weights: undefined });
    this.#violation ??= new Violation(
      `${this.#trace.join('\n')}\n\n${weather}\n${why}\n` +
        `at step ${this.#step}; again with SIM_SEED=${this.seed} SIM_SCHEDULES=1\n`,
    );
  };

  get totals(): Totals {
    const { oracle, requests, clients, deaths } = this;
    const reloads = this.#reloads;
    return { events: oracle.head, requests: requests.count, updates: clients.updates, deaths, reloads };
  }

  async run(): Promise<void> {
    const outside = (error: unknown) => this.fail(`an exception: ${(error as Error)?.stack ?? String(error)}`);
    process.on('uncaughtException', outside);
    try {
      for (let step = 0; step < STEPS; step++) {
        this.#step = String(step);
        ACTIONS[this.random.weighted(this.#plan.weights)](this);
        await this.pass(this.random.number({ 0: 3, 1: 6, 30: 6, 300: 3, 3000: 0.6 }) * (0.5 + this.random.next()));
      }
      await this.#settle();
      await this.#stop();
    } catch (error) {
      if (error instanceof Violation) throw error;
      outside(error);
      throw this.#violation;
    } finally {
      process.off('uncaughtException', outside);
    }
  }

  /** An event clock is where the log's order has moved it. */
  #checkClock(): void {
    const { clock, head } = this.engine.core;
    const byLog = this.oracle.clockAt(head);
    if (this.registry.clock.mode === 'event' ? clock.now() !== byLog : clock.now() < byLog) {
      this.fail(`the clock is at ${clock.now()}, and by the log at ${byLog}`);
    }
  }

  /** Lets time pass; ends the schedule where a promise was broken. */
  async pass(ms: number): Promise<void> {
    await this.time.pass(ms, () => {
      this.requests.check();
      this.producers.check();
      this.clients.check();
      this.#checkClock();
      if (this.#violation !== null) throw this.#violation;
    });
    if (this.#violation !== null) throw this.#violation;
  }

  get views(): View[] {
    // Before the first engine has started nothing else is served than what will be.
    const { views } = this.engine?.core.registry ?? this.registry;
    return [...views.values()].flat();
  }

  /** The registry changes under way; whoever is asked meanwhile answers. */
  reload(): void {
    const { engine, random } = this;
    const place = random.int(0, this.#shops.length - 1);
    this.trace(`reload of registry ${place}`);
    engine.reload(this.#shops[place]!).then(
      () => {
        this.#reloads++;
        this.trace(`registry ${place} serves`);
      },
      (error: Error) => engine.dead || this.fail(`the reload fails: ${error.message}`),
    );
  }

  kill(): void {
    const { live } = this.engine.crew;
    if (live.length > 0) this.engine.crew.killOne(this.random.pick(live));
  }

  hang(): void {
    const { live } = this.engine.crew;
    if (live.length > 0) this.engine.crew.hang(this.random.pick(live));
  }

  /** A worker dies, and so do those that follow it: others must take its shards. */
  doom(): void {
    const { live, doomed } = this.engine.crew;
    if (live.length === 0) return;
    const identity = this.random.pick(live);
    doomed.set(Number(/^w(\d+)-/.exec(identity)![1]), this.random.int(2, 7));
    this.engine.crew.killOne(identity);
  }

  shiftWall(): void {
    const ms = this.random.int(-20_000, 20_000);
    this.trace(`the system's clock is set by ${ms} ms`);
    this.time.shiftWall(ms);
  }

  /** The engine dies and is started again on what the log has. */
  crash(): void {
    this.trace('the engine dies');
    this.registry = this.engine.core.registry;
    this.engine.crash();
    this.producers.forget();
    this.requests.forget();
    this.deaths += this.engine.crew.deaths;
    this.engine = this.#start();
    if (this.engine.core.head !== this.oracle.head)
      this.fail(`the log has ${this.engine.core.head} events after the restart`);
    if (this.engine.core.head < this.acked) this.fail('acknowledged events are lost');
    this.clients.reconnectAll();
  }

  #start(): Engine {
    const { config, weather, commitMsMax } = this.#plan;
    this.#starts++;
    return new Engine({
      folder: this.#folder,
      config,
      registry: this.registry,
      time: this.time,
      random: this.random.fork(),
      weather,
      commitMsMax,
      appended: (batch) => this.producers.appended(batch),
      written: (group) => this.producers.written(group),
      trace: this.trace,
      fail: this.fail,
      ending: (views) => this.ended.push(...views),
      epoch: `epoch ${this.#starts}`,
    });
  }

  /** The weather clears up: everything is answered, and every client holds what is true. */
  async #settle(): Promise<void> {
    this.#step = 'settle';
    this.trace('the weather clears up');
    this.engine.crew.clearUp();
    await this.#quiet();
    this.producers.sendToAll(1000);
    await this.#quiet();
    // Nothing more happens, but time goes on.
    await this.pass(this.random.int(0, 60_000));
    await this.#quiet();
  }

  async #quiet(): Promise<void> {
    const sinceMs = this.time.monotonicMs();
    let busy: string | null = 'nothing';
    for (let lastMs = sinceMs; lastMs < sinceMs + SETTLE_MS; lastMs = this.time.monotonicMs()) {
      this.clients.drainAll();
      const beforeMs = Math.max(sinceMs, lastMs - 2500);
      busy = this.#busy() ?? this.clients.findMissing(beforeMs);
      if (busy === null) return;
      await this.pass(200);
    }
    this.fail(`it does not come to rest: ${busy}`);
    await this.pass(0);
  }

  /** What is still under way; null: nothing. */
  #busy(): string | null {
    const { core } = this.engine;
    const { workers, ready } = core.fleet.status();
    if (!ready) return 'not all shards have an owner';
    if (this.requests.open > 0) return `${this.requests.open} requests`;
    if (this.clients.pending > 0) return `${this.clients.pending} subscriptions`;
    if (this.producers.open > 0 || core.ingest.pending > 0) return `${core.ingest.pending} batches`;
    if (core.ingest.inflightBytes > 0) return `${core.ingest.inflightBytes} bytes of events`;
    if (core.serve.flights > 0) return `${core.serve.flights} flights`;
    const slot = workers.find(
      ({ queue, queue_bytes, in_flight_ms }) => queue + queue_bytes > 0 || in_flight_ms !== null,
    );
    return slot === undefined ? null : `worker ${slot.identity}`;
  }

  async #stop(): Promise<void> {
    this.#step = 'stop';
    const { core, crew, timers } = this.engine;
    this.clients.closeAll();
    const { topics, watched, subscribers } = core.push.sizes;
    if (topics + watched + subscribers > 0) this.fail(`all clients left ${JSON.stringify(core.push.sizes)} behind`);
    this.requests.getSomething();
    this.draining = true;
    let drained = false;
    void core.fleet.drain().then(() => {
      drained = true;
    });
    await this.pass(DRAIN_MS + 500);
    if (!drained || crew.live.length > 0) this.fail(`the fleet does not end: ${crew.live}`);
    core.close();
    await this.pass(60_000);
    if (this.requests.open > 0) this.fail('a request is open after all has ended');
    if (timers.pending.size > 0) this.fail(`${timers.pending.size} timers are set after all has ended`);
    this.deaths += crew.deaths;
    this.engine.closeLog();
    await this.pass(0);
  }
}

/** Runs the schedule of a seed; rejects with a {@link Violation}. @param folder for its log; made and removed again */
export async function runSchedule(seed: number, folder: string): Promise<Totals> {
  const own = join(folder, String(seed));
  mkdirSync(own);
  try {
    const schedule = new Schedule(seed, own);
    await schedule.run();
    return schedule.totals;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
