import type { View } from '../../registry/view.ts';
import { limitIds, refuseUnsupported, UNSUPPORTED_BY_GET } from '../../wire/checks.ts';
import type { ClientMessage } from '../../wire/messages.ts';
import type { Answer, Subscribed } from '../../wire/service.ts';
import type { Id, Session } from '../session.ts';

const UNSUPPORTED_BY_SUBSCRIBE = ['service', 'request', 'min_interval_ms', 'on_change', 'when'] as const;

const viewTexts = new WeakMap<View, string>();

/** The middle of a `result`, made once a view. */
function viewText(view: View): string {
  let text = viewTexts.get(view);
  if (text === undefined) {
    text = `,"view":${JSON.stringify(view.name)},"version":${JSON.stringify(view.version)},"rows":`;
    viewTexts.set(view, text);
  }
  return text;
}

const idText = (id: Id): string => (Number.isSafeInteger(id) ? String(id) : JSON.stringify(id));

export function get(session: Session, message: ClientMessage<'get'>): void {
  const { service, config, metrics, timers } = session.context;
  const started = timers.monotonicMs();
  session.refuseWhileDraining();
  refuseUnsupported(message, UNSUPPORTED_BY_GET);
  limitIds(message.entity_ids, config);
  const query = service.features.resolve(message);
  const head = `{"type":"result","id":${idText(message.id)}${viewText(query.view)}`;
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
  const { view, version, features } = message;
  const query = service.features.resolve({
    entity_ids: ids as string[],
    ...(view === undefined ? {} : { view }),
    ...(version === undefined ? {} : { version }),
    ...(features === undefined ? {} : { features }),
  });
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
        `{"type":"subscribed","id":${idText(message.id)},"topic":${topic},"epoch":${JSON.stringify(epoch)},"resumed":${resumed},"rows":`,
        rows,
        `,"rejected":${JSON.stringify(rejected)}}`,
      ),
  );
}

export function unsubscribe(session: Session, message: ClientMessage<'unsubscribe'>): void {
  session.context.service.push.unsubscribe(session, message.topic, message.entity_ids ?? null);
  session.control({ type: 'unsubscribed', id: message.id, topic: message.topic });
  session.context.metrics.handled('ws', 'unsubscribe', 'ok');
}
