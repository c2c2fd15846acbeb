/** Link and spawner of the simulation: where frames are on their way, and workers start, hang and die. */
import type { DatabaseSync } from 'node:sqlite';
import type { Link, LinkHandlers } from '../../src/fleet/link.ts';
import type { Spawner, WorkerProcess } from '../../src/fleet/spawner.ts';
import { decodeFrame, encodeFrame, type Frame } from '../../src/wire/frames.ts';
import { ModelWorker } from './model-worker.ts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface CrewWeather {
  /** Longest time on the way of a frame. */
  delayMsMax: number;
  /** Longest time that a frame takes a worker. */
  workMsMax: number;
  /** Chance that a worker dies, by frame. */
  death: number;
  /** Chance that a worker hangs, by frame. */
  hang: number;
  /** Chance that a frame fails as a whole, that a group of it does, and that a worker falls behind. */
  failure: number;
}

/** One incarnation: a process without a process. */
class Hand implements WorkerProcess {
  readonly pid = 0;
  readonly identity: string;
  readonly worker: ModelWorker;
  readonly exited: (reason: string) => void;
  readonly inbox: Frame[] = [];
  busy = false;
  hung = false;
  gone = false;
  /** Lease by shard as the engine has told last, whether it has arrived or not. */
  assigned = new Map<number, number>();
  /** What it sent before it died is lost. */
  lostAll = false;
  /** Frames keep their order: no earlier arrival than the one before. */
  arrivesMs = { to: 0, from: 0 };
  readonly #crew: Crew;

  constructor(crew: Crew, identity: string, worker: ModelWorker, exited: (reason: string) => void) {
    this.#crew = crew;
    this.identity = identity;
    this.worker = worker;
    this.exited = exited;
  }

  abort(): void {
    this.#crew.abort(this);
  }

  kill(): void {
    this.#crew.die(this, 'killed by SIGKILL');
  }
}

export class Crew implements Link, Spawner {
  readonly address = 'model://';
  weather: CrewWeather;
  /** By slot, how many of the incarnations to come die right after their start. */
  readonly doomed = new Map<number, number>();
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #log: DatabaseSync;
  readonly #trace: (line: string) => void;
  readonly #hands = new Map<string, Hand>();
  #handlers: LinkHandlers | null = null;
  /** Incarnations that died. */
  deaths = 0;

  constructor(
    time: VirtualTime,
    random: Random,
    log: DatabaseSync,
    weather: CrewWeather,
    trace: (line: string) => void,
  ) {
    this.#time = time;
    this.#random = random;
    this.#log = log;
    this.weather = weather;
    this.#trace = trace;
  }

  async open(handlers: LinkHandlers): Promise<void> {
    this.#handlers = handlers;
  }

  async close(): Promise<void> {
    this.#handlers = null;
  }

  /** Living workers. */
  get live(): string[] {
    return [...this.#hands.values()].filter(({ gone }) => !gone).map(({ identity }) => identity);
  }

  /** Frames that a living worker has not answered. */
  get busy(): boolean {
    return [...this.#hands.values()].some((hand) => !hand.gone && (hand.busy || hand.inbox.length > 0));
  }

  spawn(identity: string, _address: string, exited: (reason: string) => void): WorkerProcess {
    const random = this.#random;
    const worker = new ModelWorker(this.#log, {
      failsFrame: () => random.chance(this.weather.failure),
      lagsBehind: () => random.chance(this.weather.failure),
      failsGroup: () => random.chance(this.weather.failure),
    });
    const hand = new Hand(this, identity, worker, exited);
    this.#hands.set(identity, hand);
    this.#trace(`spawn ${identity}`);
    const slot = Number(/^w(\d+)-/.exec(identity)![1]);
    const doomed = this.doomed.get(slot) ?? 0;
    if (doomed > 0) this.doomed.set(slot, doomed - 1);
    const startMs = random.skewed(20, 600);
    this.#time.setTimeout(() => {
      if (hand.gone) return;
      if (doomed > 0) return this.die(hand, 'exit status 1');
      this.#say(hand, encodeFrame('hello', { pid: 0, python: '3', numpy: '2' }));
    }, startMs);
    return hand;
  }

  send(identity: string, bytes: Uint8Array): void {
    const hand = this.#hands.get(identity)!;
    const frame = decodeFrame(bytes.slice());
    if (hand.gone) {
      this.#time.setTimeout(() => this.#handlers?.unreachable(identity, new Error('Host unreachable')), 0);
      return;
    }
    if (frame.type === 'assign') hand.assigned = new Map(frame.header.shards);
    this.#carry(hand, 'to', () => {
      if (hand.gone) return;
      hand.inbox.push(frame);
      this.#next(hand);
    });
  }

  /** The engine is dead, and its workers with it. */
  end(): void {
    this.#handlers = null;
    for (const hand of this.#hands.values()) hand.gone = true;
  }

  /** No more faults: what hangs is still to be found out, and what is doomed dies once more. */
  clearUp(): void {
    this.weather = { ...this.weather, workMsMax: 20, delayMsMax: 5, death: 0, hang: 0, failure: 0 };
    this.doomed.clear();
  }

  /** A worker stops answering. */
  hang(identity: string): void {
    this.#trace(`hang ${identity}`);
    this.#hands.get(identity)!.hung = true;
  }

  killOne(identity: string): void {
    this.die(this.#hands.get(identity)!, 'killed by SIGKILL');
  }

  abort(hand: Hand): void {
    // A hanging one does not always heed it.
    if (!hand.hung || this.#random.chance(0.7)) this.die(hand, 'killed by SIGABRT');
  }

  die(hand: Hand, reason: string): void {
    if (hand.gone) return;
    hand.gone = true;
    this.deaths++;
    hand.lostAll = this.#random.chance(0.5);
    this.#trace(`die ${hand.identity}: ${reason}`);
    this.#time.setTimeout(() => hand.exited(reason), this.#random.skewed(0, 30));
  }

  #next(hand: Hand): void {
    if (hand.busy || hand.hung || hand.gone) return;
    const frame = hand.inbox.shift();
    if (frame === undefined) return;
    const { death, hang, workMsMax } = this.weather;
    if (this.#random.chance(hang)) {
      this.hang(hand.identity);
      return;
    }
    hand.busy = true;
    const workMs = this.#random.skewed(0.1, workMsMax);
    if (this.#random.chance(death)) {
      this.#time.setTimeout(() => this.die(hand, 'killed by SIGSEGV'), this.#random.next() * workMs);
    }
    if (frame.type === 'assign') this.#beat(hand);
    this.#time.setTimeout(() => {
      if (hand.gone || hand.hung) return;
      const answer = hand.worker.handle(frame, this.#outdated(hand));
      if (answer !== null) this.#say(hand, answer);
      hand.busy = false;
      if (frame.type === 'drain') this.die(hand, 'exit status 0');
      else this.#next(hand);
    }, workMs);
  }

  /** Shards whose lease the engine has taken back by a frame that the worker has not come to yet. */
  #outdated(hand: Hand): Set<number> {
    const { assigned, worker } = hand;
    return new Set(worker.leases.filter(([shard, lease]) => assigned.get(shard) !== lease).map(([shard]) => shard));
  }

  #beat(hand: Hand): void {
    this.#time.setTimeout(() => {
      if (hand.gone || hand.hung || !hand.busy) return;
      this.#say(hand, encodeFrame('beat', { loaded: 1, total: 2 }));
      this.#beat(hand);
    }, 250);
  }

  #say(hand: Hand, bytes: Uint8Array): void {
    // What was on its way when a worker died comes or does not, but comes under its own identity.
    this.#carry(hand, 'from', () => {
      if (!hand.lostAll) this.#handlers?.received(hand.identity, bytes);
    });
  }

  #carry(hand: Hand, direction: 'to' | 'from', arrive: () => void): void {
    const nowMs = this.#time.monotonicMs();
    const atMs = Math.max(hand.arrivesMs[direction], nowMs + this.#random.skewed(0.01, this.weather.delayMsMax));
    hand.arrivesMs[direction] = atMs;
    this.#time.setTimeout(arrive, atMs - nowMs);
  }
}
