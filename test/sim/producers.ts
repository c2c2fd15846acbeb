/** Producers that send events, well and badly, and send again what they have no answer to. */
import type { HeadraceError } from '../../src/errors.ts';
import type { Batch, BatchKey, CommitGroup, IngestAnswer } from '../../src/store/log-row.ts';
import { formatTime } from '../../src/wire/time.ts';
import type { Expected, Sent, SentBatch } from './oracle.ts';
import type { Requests } from './requests.ts';
import type { Scalar } from './value-of.ts';
import { GUESTS, ITEMS, USERS, type World } from './world.ts';

/** A commit takes no longer, whatever the log has to do. */
const ANSWER_MS = 10_000;

interface Request {
  batch: SentBatch;
  sentMs: number;
  batchId: number;
  /** What its producer must be told, once it is in the log. */
  expected: Expected | null;
  answered: boolean;
}

export class Producers {
  readonly #world: World;
  readonly #requests: Requests;
  /** On their way to the log, in its order. */
  #appended: Request[] = [];
  #open: Request[] = [];
  /** With a key: they may be sent again. */
  readonly #keyed: SentBatch[] = [];
  #issuing: Request | null = null;
  #lastBatch = 0;

  constructor(world: World, requests: Requests) {
    this.#world = world;
    this.#requests = requests;
  }

  get open(): number {
    return this.#open.length;
  }

  /** The engine hands a batch to its log. */
  appended(batch: Batch): void {
    const request = this.#issuing!;
    request.batchId = batch.id;
    this.#appended.push(request);
  }

  /** A transaction of the log, in its order: whoever hears of it. */
  written(group: CommitGroup): void {
    const world = this.#world;
    for (const { id } of group.commits) {
      const request = this.#appended.shift();
      if (request?.batchId !== id) {
        world.fail(`the log commits batch ${id} where ${request?.batchId} is next`);
        return;
      }
      request.expected = world.oracle.take(request.batch);
      const { expected, batch } = request;
      world.trace(`  log: ${batch.source} ${batch.events.length} events, ${JSON.stringify(expected)}`);
    }
    if (group.position !== world.oracle.head) {
      world.fail(`the log ends at ${group.position}, and by what was sent at ${world.oracle.head}`);
    }
  }

  /** The engine died: nobody is answered any more, and what had not reached the log is lost. */
  forget(): void {
    this.#appended = [];
    this.#open = [];
  }

  check(): void {
    const nowMs = this.#world.time.monotonicMs();
    this.#open = this.#open.filter(({ answered }) => !answered);
    const old = this.#open.find(({ sentMs }) => nowMs > sentMs + ANSWER_MS);
    if (old !== undefined) this.#world.fail(`a batch of ${old.batch.source} is not answered`);
  }

  send(): void {
    const { random } = this.#world;
    const source = random.weighted({ orders: 3, visits: 2 });
    const n = random.number({ 1: 10, 2: 4, 5: 3, 20: 1, 90: 0.3, 0: 0.1 });
    const drift = random.pick([0, 0, 0, 2, 8, 15, 30]) * 1e6;
    const events = Array.from({ length: n }, () => this.#event(source, drift));
    const key = random.chance(0.6) ? this.#newKey() : null;
    this.#issue({ source, events, key, wall: 0 });
  }

  /** One ordinary event for each entity that there is. */
  sendToAll(amount: number): void {
    const { oracle } = this.#world;
    const ts = Math.max(this.#clock(), oracle.newest('orders') - 5e6, oracle.newest('visits') - 5e6) + 1000;
    for (const [i, user] of USERS.entries()) {
      const item = ITEMS[i % ITEMS.length]!;
      this.#issue({
        source: 'orders',
        events: [{ ts, keys: { user, item }, fields: { amount: amount + i, colour: `last ${i}` } }],
        key: null,
        wall: 0,
      });
      this.#issue({
        source: 'visits',
        events: [{ ts, keys: { user }, fields: { seconds: amount + i } }],
        key: null,
        wall: 0,
      });
    }
  }

  retry(): void {
    const { random } = this.#world;
    if (this.#keyed.length === 0) {
      this.send();
      return;
    }
    const batch = random.pick(this.#keyed.slice(-12));
    if (random.chance(0.9)) {
      this.#issue({ ...batch });
      return;
    }
    const events = [...batch.events, this.#event(batch.source, 0)];
    this.#issue({ ...batch, events });
  }

  #newKey(): BatchKey {
    const { random } = this.#world;
    this.#lastBatch++;
    const batch = random.chance(0.5) ? this.#lastBatch : String(this.#lastBatch);
    return { producer: random.pick(['p', 'q']), batch, chunk: random.pick([0, 0, 1]) };
  }

  #event(source: string, drift: number): Sent {
    const { random, registry } = this.#world;
    const clock = this.#clock();
    // Mostly a little after the last one; now and then far off, or too far.
    const offset = random.weighted({ on: 12, back: 4, same: 1, leap: 0.5, old: 0.5, far: 0.3 });
    const shift = {
      on: () => random.int(0, 1500) * 1000,
      back: () => -random.int(0, 9000) * 1000 - drift,
      same: () => 0,
      // A wall does not leap with it: what it left behind would be late for long.
      leap: () => random.int(2, registry.clock.mode === 'wall' ? 8 : 50) * 1e6,
      old: () => -random.int(10, 200) * 1e6,
      far: () => random.int(61, 200) * 1e6,
    }[offset]();
    const user = random.chance(0.02) ? null : random.pick(random.chance(0.04) ? GUESTS : USERS);
    const keys: Sent['keys'] = source === 'orders' ? { user, item: random.pick(ITEMS) } : { user };
    const number = random.chance(0.02) ? 1.5 : random.chance(0.1) ? null : random.int(-20, 20);
    const colour: Scalar = random.chance(0.1) ? null : random.pick(['red', 'blue', 'grün']) + random.int(0, 3);
    const fields: Sent['fields'] = source === 'orders' ? { amount: number, colour } : { seconds: number };
    return { ts: clock + shift, keys, fields };
  }

  /** The engine's clock, but a producer has one of its own where that has not begun. */
  #clock(): number {
    const now = this.#world.engine.core.clock.now();
    return Math.floor((now === 0 ? this.#world.time.wallMicros() : now) / 1000) * 1000;
  }

  #issue(batch: SentBatch): void {
    const { engine, random, time, trace } = this.#world;
    batch.wall = time.wallMicros();
    const request: Request = { batch, sentMs: time.monotonicMs(), batchId: 0, expected: null, answered: false };
    const { source, events, key } = batch;
    trace(`ingest ${source} ${JSON.stringify(key)} ${JSON.stringify(events.slice(0, 2))} ${events.length} in all`);
    if (key !== null && !this.#keyed.includes(batch)) this.#keyed.push(batch);
    this.#open.push(request);
    this.#issuing = request;
    const rows = events.map((event) => this.#rowOf(source, event));
    const done = (error: HeadraceError | null, answer: IngestAnswer | null) => {
      if (engine === this.#world.engine) this.#answered(request, error, answer);
    };
    if (events.length > 0 && random.chance(0.3)) engine.core.ingest.columns(source, columnsOf(rows), key, done);
    else engine.core.ingest.rows(source, rows, key, done);
    this.#issuing = null;
  }

  #rowOf(source: string, { ts, keys, fields }: Sent): Record<string, unknown> {
    const at = this.#world.random.chance(0.5) ? ts / 1000 : formatTime(ts);
    const ids = source === 'orders' ? { user_id: keys['user'], item_id: keys['item'] } : { user_id: keys['user'] };
    return { at, ...ids, ...fields };
  }

  #answered(request: Request, error: HeadraceError | null, answer: IngestAnswer | null): void {
    const { expected, batch } = request;
    const world = this.#world;
    const fail = (why: string) => world.fail(`ingest ${batch.source} ${JSON.stringify(batch.key)}: ${why}`);
    if (request.answered) {
      fail('it is answered twice');
      return;
    }
    request.answered = true;
    if (expected === null) {
      fail(`it is answered before it is in the log: ${error?.message}`);
      return;
    }
    if (expected.conflict) {
      if (error?.code !== 'batch_conflict') fail('other events under a known key are taken');
      return;
    }
    if (answer === null) {
      fail(`it fails as ${error?.code}: ${error?.message}`);
      return;
    }
    const { position, accepted, late, duplicate } = answer;
    const told = { conflict: false, position, accepted, late, duplicate, rejected: answer.rejected.map(rejection) };
    if (JSON.stringify(told) !== JSON.stringify(expected)) {
      fail(`its answer is ${JSON.stringify(told)}, expected ${JSON.stringify(expected)}`);
      return;
    }
    world.acked = Math.max(world.acked, position);
    world.trace(`  acknowledged up to ${position}`);
    // The producer's next look, in the turn of its answer: it must never see the past.
    if (accepted > 0 && world.random.chance(0.5)) this.#look(batch.events, position);
  }

  #look(events: readonly Sent[], position: number): void {
    const { random, views } = this.#world;
    const view = random.pick(views);
    const entityId = random.pick(events).keys[view.plan.entity];
    if (entityId != null) this.#requests.getNow(view, entityId, position);
  }
}

const rejection = ({ index, code }: IngestAnswer['rejected'][number]): [number, string] => [index, code];

function columnsOf(rows: readonly Record<string, unknown>[]): Record<string, unknown[]> {
  return Object.fromEntries(Object.keys(rows[0]!).map((name) => [name, rows.map((row) => row[name])]));
}
