import { HeadraceError } from '../errors.ts';
import type { Collector, Query } from '../serve/query.ts';
import { asHeadraceError } from '../wire/checks.ts';
import type { PushService, Reply, Subscribed, SubscribeRequest } from '../wire/service.ts';
import type { Push } from './push.ts';
import type { Sink } from './sink.ts';
import { Snapshot } from './snapshot.ts';

export interface SubscriptionsOptions {
  push: Push;
  /** One a start of the engine: revisions count within it. */
  epoch: string;
  topicsMax: number;
  subscriptionsMax: number;
  /** Why a text cannot be an entity id; null where it can. */
  idProblem: (entityId: string) => string | null;
  /** Reads the present rows. */
  get: (query: Query, collector: Collector, done: () => void) => void;
  /** Makes the text of a reply. */
  collector: (query: Query) => Collector & { rows(): string | Promise<Buffer> };
}

/** Subscriptions as the edges ask for them: registered first, then the snapshot is read, then updates may follow. */
export class Subscriptions implements Omit<PushService, 'closed'> {
  readonly #options: SubscriptionsOptions;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  subscribe(sink: Sink, request: SubscribeRequest, done: Reply<Subscribed>): void {
    const { push, epoch } = this.#options;
    const { view, select } = request.query;
    const { accepted, rejected } = this.#sort(request.query.entityIds);
    this.#checkLimits(sink, request.query, accepted);
    const { topic, added } = push.subscribe(sink, view, select, accepted, request.snapshot);
    const resumed = request.resume?.epoch === epoch;
    if (!request.snapshot) {
      done(null, { topic, epoch, resumed, rows: '[]', rejected });
      push.flush();
      return;
    }
    const query: Query = { ...request.query, entityIds: accepted };
    const inner = this.#options.collector(query);
    const snapshot = new Snapshot(accepted, inner, resumed ? request.resume!.revisions : null);
    const answer = (rows: string | Buffer): void => {
      done(null, { topic, epoch, resumed, rows, rejected });
      for (const [i, entityId] of accepted.entries()) {
        push.snapshotSent(sink, topic, entityId, snapshot.revisions[i]!);
      }
      push.flush();
    };
    const fail = (error: unknown): void => {
      push.unsubscribe(sink, topic, added);
      done(asHeadraceError(error), null);
    };
    this.#options.get(query, snapshot, () => {
      const rows = inner.rows();
      if (typeof rows === 'string') answer(rows);
      else rows.then(answer, fail);
    });
  }

  unsubscribe(sink: Sink, topic: number, entityIds: string[] | null): void {
    if (this.#options.push.unsubscribe(sink, topic, entityIds)) return;
    throw new HeadraceError(
      'unknown_topic',
      `this connection is not subscribed to topic ${topic}; use the number that subscribed gave`,
    );
  }

  drained(sink: Sink): void {
    this.#options.push.drained(sink);
  }

  #sort(entityIds: readonly string[]): { accepted: string[]; rejected: Subscribed['rejected'] } {
    const accepted: string[] = [];
    const rejected: Subscribed['rejected'] = [];
    for (const entityId of entityIds) {
      const problem = this.#options.idProblem(entityId);
      if (problem === null) accepted.push(entityId);
      else rejected.push({ entity_id: entityId, code: 'invalid_entity_id', message: problem });
    }
    return { accepted, rejected };
  }

  #checkLimits(sink: Sink, { view, select }: Query, entityIds: readonly string[]): void {
    const { push, topicsMax, subscriptionsMax } = this.#options;
    const held = push.held(sink);
    const topic = push.topicOf(view, select);
    const isNew = topic === null || !push.holds(sink, topic);
    if (isNew && held.topics >= topicsMax) {
      throw new HeadraceError(
        'too_many',
        `this connection has ${held.topics} topics, which is all it may have; unsubscribe from one or open another`,
      );
    }
    if (held.entities + entityIds.length > subscriptionsMax) {
      throw new HeadraceError(
        'too_many',
        `this connection watches ${held.entities} entities and may watch ${subscriptionsMax} in all; ` +
          `${entityIds.length} more are too many`,
      );
    }
  }
}
