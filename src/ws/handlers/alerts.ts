import type { ClientMessage, ServerMessage } from '../../wire/messages.ts';
import type { Session } from '../session.ts';

export function watchAlerts(session: Session, message: ClientMessage<'watch_alerts'>): void {
  const { service, metrics } = session.context;
  session.refuseWhileDraining();
  const { epoch, offset, resumed, firing, missed } = service.alerts.watch(session, {
    severity: message.severity ?? null,
    resume: message.resume ?? null,
  });
  const watching: ServerMessage<'watching'> = { type: 'watching', id: message.id, epoch, offset, resumed, firing };
  session.control(watching);
  for (const alert of missed) session.control(alert);
  metrics.handled('ws', 'watch_alerts', 'ok');
}
