import { HeadraceError } from '../../errors.ts';
import type { IngestAnswer } from '../../store/log-row.ts';
import { batchKey, columnsLength, limitEvents } from '../../wire/checks.ts';
import type { ClientMessage, ServerMessage } from '../../wire/messages.ts';
import type { Session } from '../session.ts';

export function ingest(session: Session, message: ClientMessage<'ingest'>): void {
  const { service, config, metrics } = session.context;
  session.refuseWhileDraining();
  const { source, events, columns } = message;
  if ((events === undefined) === (columns === undefined)) {
    throw new HeadraceError('bad_request', 'ingest takes either events or columns, and exactly one of them');
  }
  limitEvents(events === undefined ? columnsLength(columns as Record<string, unknown[]>) : events.length, config);
  const key = batchKey(message);
  session.request<IngestAnswer>(
    'ingest',
    message.id,
    (done) => {
      if (events !== undefined) service.ingest.rows(source, events, key, done);
      else service.ingest.columns(source, columns as Record<string, unknown[]>, key, done);
    },
    (answer) => {
      metrics.ingested(source, answer);
      const { position, accepted, late, duplicate, rejected } = answer;
      const ingested: ServerMessage<'ingested'> = {
        type: 'ingested',
        id: message.id,
        position,
        accepted,
        late,
        duplicate,
        rejected,
      };
      session.control(ingested);
    },
  );
}
