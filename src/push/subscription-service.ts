import type { Config } from '../config.ts';
import { type ErrorBody, HeadraceError } from '../errors.ts';
import type { Query, RowState } from '../serve/query.ts';
import type { Replies } from '../serve/replies.ts';
import type { ReplyCollector } from '../serve/text-collector.ts';
import { REVISION, type Row } from '../values/row.ts';
import { asHeadraceError } from '../wire/checks.ts';
import type { PushService, Reply, Subscribed, SubscribeRequest } from '../wire/service.ts';
import type { Push } from './push.ts';
import type { Sink } from './sink.ts';

export interface SubscriptionServiceOptions {
  push: Push;
  /** Answers the snapshot; see Serve.get. */
  get: (query: Query, collector: ReplyCollector, done: () => void) => void;
  replies: Replies;
  /** One a start of the engine: revisions mean nothing across two. */
  epoch: string;
  config: Pick<Config, 'topics_max' | 'subscriptions_max'>;
  /** Why a text cannot be an entity id; null where it can. */
  idProblem: (entityId: string) => string | null;
  /** The connection is gone: what else it watches goes with it. */
  alsoClosed: (sink: Sink) => void;
}

/** Subscriptions as the WebSocket edge puts them: limits, the snapshot, and what a client has already. */
export function subscriptionService(options: SubscriptionServiceOptions): PushService {
  const { push } = options;
  return {
    subscribe: (sink, request, done) => subscribe(options, sink, request, done),
    unsubscribe(sink: Sink, topic: number, entityIds: string[] | null): void {
      if (push.unsubscribe(sink, topic, entityIds)) return;
      throw new HeadraceError(
        'unknown_topic',
        `This connection has no topic ${topic}; 'subscribed' names those it has.`,
      );
    },
    drained: (sink) => push.drained(sink),
    closed(sink: Sink): void {
      push.closed(sink);
      options.alsoClosed(sink);
    },
  };
}

function subscribe(
  options: SubscriptionServiceOptions,
  sink: Sink,
  { query, snapshot, resume }: SubscribeRequest,
  done: Reply<Subscribed>,
): void {
  const { push, epoch, idProblem } = options;
  const { view, select } = query;
  const rejected: Subscribed['rejected'] = [];
  const entityIds: string[] = [];
  for (const entityId of query.entityIds) {
    const problem = idProblem(entityId);
    if (problem === null) entityIds.push(entityId);
    else rejected.push({ entity_id: entityId, code: 'invalid_entity_id', message: problem });
  }
  refuseBeyondLimits(options, sink, query, entityIds);
  const { topic, added } = push.subscribe(sink, view, select, entityIds, snapshot);
  const resumed = resume !== null && resume.epoch === epoch;
  const answer = (rows: string | Buffer): void => done(null, { topic, epoch, resumed, rows, rejected });
  if (!snapshot || entityIds.length === 0) {
    answer('[]');
    push.flush();
    return;
  }

  const collector = new SnapshotCollector(
    options.replies.collector(view, select, entityIds),
    // An entity may be called like a property that every object has.
    entityIds.map((id) => (resumed && Object.hasOwn(resume.revisions, id) ? resume.revisions[id]! : -1)),
  );
  // The rows are in the connection's queue before the first update that is newer than them.
  const finish = (rows: string | Buffer): void => {
    const ended = push.endOf(view);
    if (ended !== null) {
      done(ended, null);
      return;
    }
    answer(rows);
    entityIds.forEach((entityId, i) => {
      push.snapshotSent(sink, topic, entityId, collector.revisions[i]!);
    });
    push.flush();
  };
  const fail = (error: unknown): void => {
    push.unsubscribe(sink, topic, added);
    done(asHeadraceError(error), null);
  };
  try {
    options.get({ ...query, entityIds }, collector, () => {
      const rows = collector.rows();
      if (typeof rows === 'string') finish(rows);
      else rows.then(finish, fail);
    });
  } catch (error) {
    fail(error);
  }
}

function refuseBeyondLimits(
  { push, config }: SubscriptionServiceOptions,
  sink: Sink,
  { view, select }: Query,
  entityIds: readonly string[],
): void {
  const held = push.held(sink);
  const more = push.wouldAdd(sink, view, select, entityIds);
  if (held.topics + more.topics > config.topics_max) {
    throw new HeadraceError(
      'too_many',
      `This connection has ${held.topics} topics, the limit; unsubscribe from one, or open another connection.`,
      { data: { max: config.topics_max } },
    );
  }
  if (held.entities + more.entities > config.subscriptions_max) {
    throw new HeadraceError(
      'too_many',
      `This connection would watch ${held.entities + more.entities} entities; at most ${config.subscriptions_max} are taken, so open another connection.`,
      { data: { max: config.subscriptions_max } },
    );
  }
}

/** Notes the revision of each row, and leaves out those that the client has. */
class SnapshotCollector implements ReplyCollector {
  readonly revisions: number[];
  readonly #inner: ReplyCollector;
  readonly #known: readonly number[];

  /** @param known by entity, the revision that the client has; −1: none */
  constructor(inner: ReplyCollector, known: readonly number[]) {
    this.#inner = inner;
    this.#known = known;
    this.revisions = known.map(() => -1);
  }

  get failure(): ErrorBody | null {
    return this.#inner.failure;
  }

  get state(): RowState {
    return this.#inner.state;
  }

  row(index: number, row: Row, state: RowState): void {
    const revision = row.slab[row.base + REVISION]!;
    this.revisions[index] = revision;
    if (revision > this.#known[index]!) this.#inner.row(index, row, state);
  }

  failed(index: number, error: ErrorBody): void {
    this.#inner.failed(index, error);
  }

  rows(): string | Promise<Buffer> {
    return this.#inner.rows();
  }
}
