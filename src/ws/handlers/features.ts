import { HeadraceError } from '../../errors.ts';
import type { Query } from '../../serve/query.ts';
import { answerHead } from '../../wire/answer-head.ts';
import { limitIds, refuseUnsupported } from '../../wire/checks.ts';
import type { ClientMessage } from '../../wire/messages.ts';
import type { Answer, Subscribed } from '../../wire/service.ts';
import type { Id, Session } from '../session.ts';

const UNSUPPORTED_BY_SUBSCRIBE = ['request', 'min_interval_ms', 'on_change', 'when'] as const;

const idText = (id: Id): string => (Number.isSafeInteger(id) ? String(id) : JSON.stringify(id));

export function get(session: Session, message: ClientMessage<'get'>): void {
  const { service, config, metrics, timers } = session.context;
  const started = timers.monotonicMs();
  session.refuseWhileDraining();
  limitIds(message.entity_ids, config);
  const query = service.features.resolve(message);
  const head = `{"type":"result","id":${idText(message.id)}${answerHead(query).inside}`;
  const hot = service.features.hot(query);
  if (hot !== null) {
    session.send(`${head}[${hot}]}`);
    metrics.answered('cached', timers.monotonicMs() - started);
    metrics.handled('ws', 'get', 'ok');
    return;
  }
  session.request<Answer>(
    'get',
    message.id,
    (done) => service.features.answer(query, done),
    (answer) => {
      session.sendRows(head, answer.rows, '}');
      const kind = query.entityIds.length > 1 ? 'batch' : answer.state === 'computed' ? 'computed' : 'cached';
      metrics.answered(kind, timers.monotonicMs() - started);
    },
  );
}

export function subscribe(session: Session, message: ClientMessage<'subscribe'>): void {
  const { service, config } = session.context;
  session.refuseWhileDraining();
  refuseUnsupported(message, UNSUPPORTED_BY_SUBSCRIBE);
  const ids = message.entity_ids;
  if (ids === '*') refuseUnsupported({ 'entity_ids "*"': ids }, ['entity_ids "*"']);
  limitIds(ids as string[], config);
  // Only what selects: a moment is no part of a subscription, and an unknown field is ignored.
  const { view, version, features, service: named } = message;
  const asked = service.features.resolve({
    entity_ids: ids as string[],
    ...(named === undefined ? {} : { service: named }),
    ...(view === undefined ? {} : { view }),
    ...(version === undefined ? {} : { version }),
    ...(features === undefined ? {} : { features }),
  });
  const query = withoutRequest(asked, features !== undefined);
  session.request<Subscribed>(
    'subscribe',
    message.id,
    (done) =>
      service.push.subscribe(
        session,
        { query, snapshot: message.snapshot ?? true, resume: message.resume ?? null },
        done,
      ),
    ({ topic, epoch, resumed, rows, rejected }) =>
      session.sendRows(
        `{"type":"subscribed","id":${idText(message.id)},"topic":${topic},"epoch":${JSON.stringify(epoch)},"resumed":${resumed}${answerHead(query).inside}`,
        rows,
        `,"rejected":${JSON.stringify(rejected)}}`,
      ),
  );
}

/** Nothing that depends on a request is pushed: left out, or refused where it was named. */
function withoutRequest(query: Query, isNamed: boolean): Query {
  const { request, view } = query;
  if (request === undefined) return query;
  if (!isNamed) return { ...query, request: undefined };
  const { name } = view.request[request.features[0]!]!;
  throw new HeadraceError(
    'unsupported',
    `${name} depends on the request that asks for it and is not pushed; leave it out, and get it`,
    { data: { field: 'features' } },
  );
}

export function unsubscribe(session: Session, message: ClientMessage<'unsubscribe'>): void {
  session.context.service.push.unsubscribe(session, message.topic, message.entity_ids ?? null);
  session.control({ type: 'unsubscribed', id: message.id, topic: message.topic });
  session.context.metrics.handled('ws', 'unsubscribe', 'ok');
}
