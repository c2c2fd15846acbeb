/** Clients that subscribe, over connections that may be slow, and hold each update to what they were promised. */
import type { HeadraceError } from '../../src/errors.ts';
import type { View } from '../../src/registry/view.ts';
import type { Query } from '../../src/serve/query.ts';
import type { Subscribed } from '../../src/wire/service.ts';
import { Client, type ClientTopic, type Held, isTopic, type Pending } from './client.ts';
import { entityIdsOf } from './requests.ts';
import { brief, isOlder, seenOf, type Told, textOf } from './told.ts';
import {
  checkRow,
  isSameView,
  published,
  type Seen,
  sameFeatures,
  select,
  shown,
  viewName,
  type World,
} from './world.ts';

export class Clients {
  readonly #world: World;
  #clients: Client[] = [];
  #named = 0;
  /** Bits by topic, entity and revision. */
  readonly #bits = new Map<string, string>();
  /** Bytes of each update, by topic, entity and row; and its Buffer in this turn. */
  readonly #frames = new Map<string, { text: string; frame: Buffer; turn: number }>();
  #turn = 0;
  updates = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get size(): number {
    return this.#clients.length;
  }

  get pending(): number {
    return this.#clients.reduce((sum, { pending }) => sum + pending.size, 0);
  }

  /** Called as time passes: a turn of the engine is over. */
  check(): void {
    this.#turn++;
    const nowMs = this.#world.time.monotonicMs();
    for (const client of this.#clients) {
      for (const { deadlineMs } of client.pending) {
        if (nowMs > deadlineMs + 1) this.#world.fail(`a subscription of ${client.name} hangs`);
      }
    }
  }

  connect(): void {
    const { random, engine } = this.#world;
    const capacity = random.chance(0.6) ? Number.POSITIVE_INFINITY : random.int(1, 4);
    this.#add(capacity, engine.epoch);
    this.subscribe();
  }

  subscribe(): void {
    const { random, views } = this.#world;
    if (this.#clients.length === 0) {
      this.connect();
      return;
    }
    const client = random.pick(this.#clients);
    const view = random.pick(views);
    const places = random.chance(0.6) ? null : [random.int(0, 1)];
    const entityIds = random.some(entityIdsOf(view), random.int(1, 4));
    this.#subscribe(client, view, places, entityIds, random.chance(0.85), {});
  }

  unsubscribe(): void {
    const { random, engine, trace } = this.#world;
    const client = this.#clients.length === 0 ? undefined : random.pick(this.#clients);
    const topic = client === undefined || client.topics.length === 0 ? undefined : random.pick(client.topics);
    if (client === undefined || topic === undefined) return;
    const some = random.chance(0.5) ? random.some(entityIdsOf(topic.view), 2) : null;
    trace(`unsubscribe ${client.name} topic ${topic.id} ${some}`);
    for (const pending of client.pending) {
      if (!isTopic(pending, topic)) continue;
      for (const entityId of some ?? pending.entityIds) pending.given.delete(entityId);
    }
    for (const entityId of some ?? [...topic.held.keys()]) topic.held.delete(entityId);
    try {
      engine.service.unsubscribe(client, topic.id, some);
    } catch (error) {
      this.#world.fail(`unsubscribe of ${client.name} fails: ${(error as HeadraceError).message}`);
    }
    const waits = [...client.pending].some((pending) => isTopic(pending, topic) && pending.given.size > 0);
    if (topic.held.size === 0 && !waits) client.topics.splice(client.topics.indexOf(topic), 1);
  }

  close(): void {
    if (this.#clients.length === 0) return;
    this.#close(this.#world.random.pick(this.#clients));
  }

  closeAll(): void {
    for (const client of [...this.#clients]) this.#close(client);
  }

  /** A connection is lost, and its client comes back with what it has. */
  reconnect(): void {
    const { random } = this.#world;
    if (this.#clients.length === 0) return;
    const client = random.pick(this.#clients);
    this.#close(client);
    this.#resume(client);
  }

  /** The engine was started anew: all connections were lost. */
  reconnectAll(): void {
    const clients = this.#clients;
    this.#clients = [];
    this.#frames.clear();
    this.#bits.clear();
    for (const client of clients) {
      client.closed = true;
      this.#resume(client);
    }
  }

  drainSome(): void {
    const { random } = this.#world;
    for (const client of [...this.#clients]) if (random.chance(0.5)) this.#drain(client);
  }

  drainAll(): void {
    for (const client of [...this.#clients]) this.#drain(client);
  }

  /** A frame has reached its client. */
  #updated(client: Client, frame: Buffer): void {
    const world = this.#world;
    if (client.closed) {
      world.fail(`${client.name} is closed, and an update comes`);
      return;
    }
    this.updates++;
    const text = textOf(frame);
    const told = JSON.parse(text) as Told;
    const topic = client.topics.find(({ id }) => id === told.topic);
    const held = topic?.held.get(told.entity_id);
    const fail = (why: string) =>
      world.fail(`update of ${told.entity_id}, topic ${told.topic}, to ${client.name}: ${why}`);
    if (topic === undefined || held === undefined) {
      fail('it is not subscribed to that');
      return;
    }
    if (!held.ready) {
      fail('its snapshot has not come');
      return;
    }
    const seen = seenOf(topic.view, topic.places, told);
    world.trace(`  ${client.name} hears of ${told.entity_id}: ${brief(seen)}`);
    checkRow(world, topic.view, topic.places, told.entity_id, seen);
    this.#checkFrame(told, text, frame, held.readyTurn < this.#turn);
    if (held.seen !== null) {
      const again = held.passedBy && seen.revision === held.seen.revision;
      if (seen.revision <= held.seen.revision && !again)
        fail(`revision ${seen.revision} follows ${held.seen.revision}`);
      if (isOlder(seen, held.seen)) fail(`${brief(seen)} follows ${brief(held.seen)}`);
      if (!held.passedBy && sameFeatures(seen.features, held.seen.features)) fail(`no bit differs: ${shown(seen)}`);
    }
    held.passedBy = !world.roomy || client.capacity < Number.POSITIVE_INFINITY;
    held.seen = seen;
  }

  /** A message has reached its client: of a topic's end it must hear where its view is served no more, and then only. */
  #told(client: Client, message: object): void {
    const { type, topic: id, code } = message as { type: string; topic: number; code: string };
    if (type !== 'end') return;
    const world = this.#world;
    const topic = client.topics.find((one) => one.id === id);
    world.trace(`  ${client.name} hears of the end of topic ${id}: ${code}`);
    if (topic === undefined) world.fail(`topic ${id} of ${client.name} ends, and it has none such`);
    else {
      client.topics.splice(client.topics.indexOf(topic), 1);
      const expected = this.#endOf(topic.view);
      if (code !== expected) world.fail(`topic ${id} of ${client.name} ends as ${code}, expected ${expected}`);
    }
  }

  /** The code with which topics of a view end by now; null: it is served. */
  #endOf(view: View): string | null {
    const { views } = this.#world;
    if (views.some((one) => isSameView(one, view))) return null;
    return views.some((one) => viewName(one) === viewName(view)) ? 'definition_changed' : 'version_removed';
  }

  /** Whether each client holds what is true now. @param sinceMs what changed since then may be on its way */
  findMissing(sinceMs: number): string | null {
    const { engine, oracle, time } = this.#world;
    const now = engine.core.clock.now();
    const after =
      this.#world.registry.clock.mode === 'wall' ? now - Math.round((time.monotonicMs() - sinceMs) * 1000) : now;
    for (const client of this.#clients) {
      for (const { view, places, held } of client.topics) {
        if (this.#endOf(view) !== null) return `${client.name} has a topic of ${viewName(view)}, which is no more`;
        for (const [entityId, { seen, mayBeEmpty }] of held) {
          if (seen === null && mayBeEmpty) continue;
          const values = oracle.valuesWithin(view, entityId, after, now, oracle.head);
          const whole = values.map((value) => ({ ...value, features: select(value.features, places) }));
          if (seen !== null && whole.some(({ features }) => sameFeatures(features, seen.features))) continue;
          const what = seen === null ? 'nothing' : `${shown(seen)} as of ${seen.asOf} at ${seen.position}`;
          return `${client.name} holds ${what} of ${viewName(view)} ${places} ${entityId}; it is ${shown(whole.at(-1)!)} at ${now}, ${oracle.head}`;
        }
      }
    }
    return null;
  }

  #add(capacity: number, epoch: string): Client {
    this.#named++;
    const client = new Client(
      `client ${this.#named}`,
      epoch,
      capacity,
      (to, frame) => this.#updated(to, frame),
      (to, message) => this.#told(to, message),
    );
    this.#clients.push(client);
    return client;
  }

  #close(client: Client): void {
    this.#world.trace(`close ${client.name}`);
    client.flush();
    client.closed = true;
    this.#clients.splice(this.#clients.indexOf(client), 1);
    this.#world.engine.service.closed(client);
  }

  #resume(before: Client): void {
    const { engine } = this.#world;
    const client = this.#add(before.capacity, engine.epoch);
    for (const { view, places, held } of before.topics) {
      const kept = [...held].flatMap(([entityId, { seen }]): [string, Seen][] =>
        seen === null ? [] : [[entityId, seen]],
      );
      const resume = before.epoch === engine.epoch ? Object.fromEntries(kept) : {};
      this.#subscribe(client, view, places, [...held.keys()], true, resume);
    }
  }

  #drain(client: Client): void {
    // A socket drains in a turn of its own.
    this.#turn++;
    if (client.drain()) this.#world.engine.service.drained(client);
  }

  #subscribe(
    client: Client,
    view: View,
    places: number[] | null,
    entityIds: string[],
    snapshot: boolean,
    resume: Record<string, Seen>,
  ): void {
    if (entityIds.length === 0) return;
    const { engine, time, random, oracle, trace } = this.#world;
    const timeoutMs = random.pick([30, 1000, 5000, 5000]);
    const query: Query = { view, select: places, entityIds, timeoutMs, asOf: null, position: null, minPosition: 0 };
    const revisions = Object.fromEntries(Object.entries(resume).map(([id, { revision }]) => [id, revision]));
    const pending: Pending = {
      view,
      places,
      entityIds,
      given: new Set(entityIds),
      resume,
      needs: new Map(entityIds.map((id) => [id, oracle.lastTouch(view, id, published(this.#world))])),
      deadlineMs: time.monotonicMs() + timeoutMs,
      turn: this.#turn,
    };
    trace(`subscribe ${client.name} ${viewName(view)} ${places} [${entityIds}] snapshot=${snapshot} ${timeoutMs} ms`);
    client.pending.add(pending);
    engine.service.subscribe(
      client,
      { query, snapshot, resume: Object.keys(resume).length === 0 ? null : { epoch: client.epoch, revisions } },
      (error, answer) => {
        if (engine !== this.#world.engine) return;
        if (!client.pending.delete(pending))
          return this.#world.fail(`a subscription of ${client.name} is answered twice`);
        if (client.closed) return;
        if (answer === null) this.#refused(client, pending, error);
        else this.#subscribed(client, pending, answer, snapshot);
      },
    );
  }

  /** Only where the view has ended since it was asked for. */
  #refused(client: Client, { view }: Pending, error: HeadraceError | null): void {
    client.flush();
    const known = ['version_removed', 'definition_changed'].includes(error?.code ?? '');
    const ended = this.#world.ended.some((one) => isSameView(one, view));
    if (!known || !ended) this.#world.fail(`a subscription of ${client.name} fails: ${error?.message}`);
  }

  #subscribed(client: Client, pending: Pending, answer: Subscribed, snapshot: boolean): void {
    client.flush();
    const { view, places, given, resume } = pending;
    const former = client.topicOf(view, places);
    // It left before it was answered; where it is back since then, that is another topic.
    if (given.size === 0 && former !== undefined && former.id !== answer.topic) return;
    const later = (id: string) => [...client.pending].some((other) => isTopic(other, pending) && other.given.has(id));
    const ids = pending.entityIds.filter((id) => given.has(id) || later(id));
    let topic = client.topics.find(({ id }) => id === answer.topic);
    if (topic !== undefined && !isTopic(topic, pending)) {
      this.#world.fail(`topic ${answer.topic} is two topics`);
    }
    if (ids.length === 0) return;
    // A topic that everyone had left begins anew under another number.
    if (former !== undefined && former !== topic) client.topics.splice(client.topics.indexOf(former), 1);
    if (topic === undefined) {
      topic = { id: answer.topic, view, places, held: new Map() };
      client.topics.push(topic);
    }
    const rows = new Map((JSON.parse(String(answer.rows)) as Told[]).map((told) => [told.entity_id, told]));
    for (const entityId of ids) {
      const held: Held = topic.held.get(entityId) ?? {
        seen: resume[entityId] ?? null,
        ready: false,
        readyTurn: 0,
        mayBeEmpty: true,
        passedBy: false,
      };
      topic.held.set(entityId, held);
      held.ready = true;
      held.readyTurn = this.#turn;
      if (snapshot) held.mayBeEmpty = false;
      // Between a row's reading and its sending others may come, of which the topic knows only the last.
      const waited = pending.turn !== this.#turn;
      held.passedBy ||= waited || !snapshot || !this.#world.roomy || client.capacity < Number.POSITIVE_INFINITY;
      const told = rows.get(entityId);
      if (told !== undefined && told.error === undefined) this.#snapshot(client, topic, held, pending, told);
      else if (told?.error !== undefined) held.seen = null;
      else if (resume[entityId] !== undefined) held.seen ??= resume[entityId];
      else if (snapshot) {
        this.#world.fail(`the snapshot of ${client.name} lacks ${entityId}`);
      }
    }
  }

  #snapshot(client: Client, { view, places }: ClientTopic, held: Held, { needs }: Pending, told: Told): void {
    const world = this.#world;
    const entityId = told.entity_id;
    const seen = seenOf(view, places, told);
    const fail = (why: string) => world.fail(`snapshot of ${entityId} for ${client.name}: ${why}`);
    world.trace(`  ${client.name} has a snapshot of ${entityId}: ${brief(seen)}${told.stale === true ? ' stale' : ''}`);
    checkRow(world, view, places, entityId, seen);
    if (told.stale !== true && seen.position < needs.get(entityId)!) {
      fail(`position ${seen.position}, and an event at ${needs.get(entityId)} touched it before`);
    }
    // A client believes what it is told last: where this is older than what it had, an update must follow.
    held.seen = seen;
  }

  /**
   * The same bytes for everyone, and in one turn the same Buffer.
   * @param among it hears of it with all others
   */
  #checkFrame(told: Told, text: string, frame: Buffer, among: boolean): void {
    const { topic, entity_id, revision, as_of, position } = told;
    const bits = JSON.stringify(told.features);
    const name = `${topic}|${entity_id}|${revision}`;
    if ((this.#bits.get(name) ?? bits) !== bits) {
      this.#world.fail(`revision ${revision} of ${entity_id} is ${bits} and ${this.#bits.get(name)}`);
    }
    this.#bits.set(name, bits);
    const row = `${name}|${as_of}|${position}`;
    const other = this.#frames.get(row);
    if (other !== undefined && other.text !== text) {
      this.#world.fail(`two subscribers of ${name} are told ${text} and ${other.text}`);
    }
    if (!among) return;
    if (other !== undefined && other.turn === this.#turn && other.frame !== frame) {
      this.#world.fail(`the update ${name} is made twice in one turn`);
    }
    this.#frames.set(row, { text, frame, turn: this.#turn });
  }
}
