/** Reads a message, checks its shape and hands it to the handler of its type. */
import { HeadraceError } from '../errors.ts';
import { CLIENT_MESSAGES, type ClientMessage, type ClientType } from '../wire/messages.ts';
import { type Check, compileCheck, show } from '../wire/validate.ts';
import { watchAlerts } from './handlers/alerts.ts';
import { get, subscribe, unsubscribe } from './handlers/features.ts';
import { ingest } from './handlers/ingest.ts';
import type { Id, Session } from './session.ts';

type Handlers = { [Name in ClientType]: (session: Session, message: ClientMessage<Name>) => void };

const nothing = (): void => {};

const HANDLERS: Handlers = {
  get,
  subscribe,
  unsubscribe,
  ingest,
  watch_alerts: watchAlerts,
  ping: (session, { id }) => session.control({ type: 'pong', ...(id === undefined ? {} : { id }) }),
  pong: nothing,
  hello: nothing,
  auth: nothing,
};

interface Entry {
  check: Check<(typeof CLIENT_MESSAGES)[ClientType]>;
  handle: (session: Session, message: never) => void;
}

const ENTRIES = new Map<string, Entry>(
  (Object.keys(CLIENT_MESSAGES) as ClientType[]).map((name) => [
    name,
    { check: compileCheck(CLIENT_MESSAGES[name], name), handle: HANDLERS[name] },
  ]),
);

export function dispatch(session: Session, data: Buffer, isBinary: boolean): void {
  if (isBinary) {
    session.badMessage(
      new HeadraceError('bad_request', 'a binary frame came; the subprotocol headrace.v1.json takes text frames'),
    );
    return;
  }
  let message: unknown;
  try {
    message = JSON.parse(data.toString());
  } catch (error) {
    session.badMessage(new HeadraceError('malformed_json', `the text is not JSON: ${(error as Error).message}`));
    return;
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    session.badMessage(
      new HeadraceError('bad_request', `the message is ${show(message)}; expected an object with a type`),
    );
    return;
  }
  const { type, id } = message as { type?: unknown; id?: unknown };
  const known = isId(id) ? id : undefined;
  if (typeof type !== 'string') {
    session.badMessage(
      new HeadraceError('bad_request', `type of the message is ${show(type)}; expected the name of a message`),
      known,
    );
    return;
  }
  session.goodMessage();
  const entry = ENTRIES.get(type);
  if (entry === undefined) {
    const names = [...ENTRIES.keys()].join(', ');
    session.sendError(
      'unknown',
      known,
      new HeadraceError('unknown_type', `no message has the type ${show(type)}; there are ${names}`),
    );
    return;
  }
  try {
    entry.handle(session, entry.check(message) as never);
  } catch (error) {
    session.sendError(type, known, error);
  }
}

/** A number that is not exact would come back as the name of another request. */
const isId = (id: unknown): id is Id =>
  typeof id === 'string' || (typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER);
