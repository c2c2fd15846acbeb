/**
 * All WebSocket messages: one source for types, validation and the documents.
 *
 * Unknown fields are ignored; so no schema here closes its object.
 */
import { type Static, Type } from 'typebox';
import {
  Alert,
  alertFields,
  answered,
  ErrorCodeSchema,
  EXACT,
  errorFields,
  Features,
  ingestOutcome,
  moment,
  provenance,
  RequestId,
  Rows,
  selection,
  whole,
} from './parts.ts';

const id = RequestId;
const topic = Type.Integer({ ...EXACT, description: 'Number of the topic' });

const Get = Type.Object(
  {
    type: Type.Literal('get'),
    id,
    entity_ids: Type.Array(Type.String(), { description: 'Whose values; duplicates are answered twice' }),
    ...selection,
    ...moment,
  },
  { description: 'Ask for the values of some entities' },
);

const Subscribe = Type.Object(
  {
    type: Type.Literal('subscribe'),
    id,
    entity_ids: Type.Unsafe<string[] | '*'>({
      anyOf: [
        { type: 'array', items: { type: 'string' } },
        { type: 'string', const: '*' },
      ],
      description: 'Whom to watch; `"*"` is not offered by this server',
    }),
    ...selection,
    snapshot: Type.Optional(Type.Boolean({ description: 'Answer with the present values; true where left out' })),
    resume: Type.Optional(
      Type.Object(
        {
          epoch: Type.String({ description: 'That of the values held' }),
          revisions: Type.Record(Type.String(), Type.Integer(EXACT), { description: 'Revision held, by entity id' }),
        },
        { description: 'What the client still holds; under the same epoch only newer rows are sent' },
      ),
    ),
    min_interval_ms: Type.Optional(Type.Unknown({ description: 'Not offered by this server' })),
    on_change: Type.Optional(Type.Unknown({ description: 'Not offered by this server' })),
    when: Type.Optional(Type.Unknown({ description: 'Not offered by this server' })),
  },
  { description: 'Watch some entities: their values now, then each change' },
);

const Unsubscribe = Type.Object(
  {
    type: Type.Literal('unsubscribe'),
    id,
    topic,
    entity_ids: Type.Optional(
      Type.Array(Type.String(), { description: 'Whom to leave; the whole topic where left out' }),
    ),
  },
  { description: 'Watch no longer' },
);

const Ingest = Type.Object(
  {
    type: Type.Literal('ingest'),
    id,
    source: Type.String({ description: 'Name of the source' }),
    events: Type.Optional(Type.Array(Type.Unknown(), { description: 'Objects with the columns of the source' })),
    columns: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.Unknown()), {
        description: 'The same events by column, all of one length',
      }),
    ),
    producer: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'Who sends; with `batch` it makes a retry harmless' }),
    ),
    batch: Type.Optional(
      Type.Unsafe<string | number>({
        type: ['string', 'integer'],
        minLength: 1,
        maxLength: 256,
        ...EXACT,
        description: 'Name of this batch, in any order and with gaps',
      }),
    ),
    chunk: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 2_147_483_647, description: 'Part of the batch; 0 where left out' }),
    ),
  },
  { description: 'Bring events of one source' },
);

const WatchAlerts = Type.Object(
  {
    type: Type.Literal('watch_alerts'),
    id,
    severity: Type.Optional(
      Type.Unsafe<'info' | 'warning' | 'critical'>({
        type: 'string',
        enum: ['info', 'warning', 'critical'],
        description: 'The least severity to hear of; all where left out',
      }),
    ),
    resume: Type.Optional(
      Type.Object(
        { epoch: Type.String(), offset: whole('Place among the alerts') },
        { description: 'The last alert that the client has heard of' },
      ),
    ),
  },
  { description: 'Hear of alerts' },
);

const Ping = Type.Object(
  { type: Type.Literal('ping'), id: Type.Optional(id) },
  { description: 'Ask for a sign of life' },
);

const ClientPong = Type.Object({ type: Type.Literal('pong') }, { description: 'A sign of life; not answered' });

const Hello = Type.Object(
  {
    type: Type.Literal('hello'),
    token: Type.Optional(Type.String({ description: 'Not looked at: this server has no authentication' })),
    client: Type.Optional(Type.Unknown({ description: 'What the client calls itself' })),
  },
  { description: 'Introduce the client; not answered' },
);

const Auth = Type.Object(
  { type: Type.Literal('auth'), token: Type.Optional(Type.String({ description: 'Not looked at' })) },
  { description: 'Refresh the token; not answered' },
);

/** By `type`, all that a client may send. */
export const CLIENT_MESSAGES = {
  get: Get,
  subscribe: Subscribe,
  unsubscribe: Unsubscribe,
  ingest: Ingest,
  watch_alerts: WatchAlerts,
  ping: Ping,
  pong: ClientPong,
  hello: Hello,
  auth: Auth,
} as const;

export type ClientType = keyof typeof CLIENT_MESSAGES;
export type ClientMessage<Name extends ClientType> = Static<(typeof CLIENT_MESSAGES)[Name]>;

const Limits = Type.Object(
  {
    message_bytes_max: Type.Integer({ description: 'Bytes of one message' }),
    entity_ids_max: Type.Integer({ description: 'Entity ids of one message' }),
    entity_id_bytes_max: Type.Integer({ description: 'UTF-8 bytes of an entity id' }),
    events_max: Type.Integer({ description: 'Events of one message' }),
    topics_max: Type.Integer({ description: 'Topics of this connection' }),
    subscriptions_max: Type.Integer({ description: 'Watched entities of this connection' }),
    inflight_max: Type.Integer({ description: 'Requests under way on this connection' }),
  },
  { description: 'What this server takes' },
);

const row = { entity_id: Type.String(), features: Features, ...provenance };

/** By `type`, all that the server sends. */
export const SERVER_MESSAGES = {
  welcome: Type.Object(
    {
      type: Type.Literal('welcome'),
      session: Type.String({ description: "Names this connection in the server's logs" }),
      epoch: Type.String({ description: 'One a start of the engine; revisions count within it' }),
      server: Type.String({ description: 'Name and version' }),
      ping_ms: Type.Integer({ description: 'Interval of the WebSocket pings' }),
      limits: Limits,
      capabilities: Type.Array(Type.String(), { description: 'What this server offers' }),
    },
    { description: 'The first frame' },
  ),
  result: Type.Object({ type: Type.Literal('result'), id, ...answered, rows: Rows }, { description: 'Answers `get`' }),
  subscribed: Type.Object(
    {
      type: Type.Literal('subscribed'),
      id,
      topic,
      epoch: Type.String({ description: 'Under which the revisions of this topic count' }),
      resumed: Type.Boolean({ description: 'Only rows newer than those held are in `rows`' }),
      ...answered,
      rows: Rows,
      rejected: Type.Array(Type.Object({ entity_id: Type.String(), code: ErrorCodeSchema, message: Type.String() }), {
        description: 'Entities that are not watched, and why',
      }),
    },
    { description: 'Answers `subscribe`' },
  ),
  unsubscribed: Type.Object(
    { type: Type.Literal('unsubscribed'), id, topic },
    { description: 'Answers `unsubscribe`' },
  ),
  update: Type.Object(
    {
      type: Type.Literal('update'),
      topic,
      ...row,
      entered: Type.Optional(
        Type.Boolean({ description: 'Only where `when` is asked, which this server does not offer' }),
      ),
      left: Type.Optional(
        Type.Boolean({ description: 'Only where `when` is asked, which this server does not offer' }),
      ),
    },
    { description: 'New values of one watched entity' },
  ),
  lagged: Type.Object(
    { type: Type.Literal('lagged'), topic, skipped: Type.Integer({ description: 'Updates that newer ones overtook' }) },
    { description: 'The connection was too slow; what follows is current' },
  ),
  ingested: Type.Object({ type: Type.Literal('ingested'), id, ...ingestOutcome }, { description: 'Answers `ingest`' }),
  watching: Type.Object(
    {
      type: Type.Literal('watching'),
      id,
      ...alertFields,
      resumed: Type.Boolean({ description: 'Every alert since the one named follows' }),
      firing: Type.Array(Alert, { description: 'All that fire now' }),
    },
    { description: 'Answers `watch_alerts`' },
  ),
  alert: Type.Object(
    { type: Type.Literal('alert'), ...alertFields, alert: Alert },
    { description: 'An alert changed its state' },
  ),
  error: Type.Object(
    { type: Type.Literal('error'), id: Type.Optional(id), ...errorFields },
    { description: 'A request failed as a whole, or a message could not be read' },
  ),
  end: Type.Object(
    { type: Type.Literal('end'), topic, code: ErrorCodeSchema, message: Type.String() },
    { description: 'The topic is no more' },
  ),
  goodbye: Type.Object(
    {
      type: Type.Literal('goodbye'),
      code: Type.Integer({ description: 'The close code that follows' }),
      reconnect: Type.Boolean({ description: 'Coming back is right' }),
      after_ms: Type.Integer({ description: 'Milliseconds to wait before that, jitter included' }),
    },
    { description: 'The server will close this connection' },
  ),
  pong: Type.Object({ type: Type.Literal('pong'), id: Type.Optional(id) }, { description: 'Answers `ping`' }),
} as const;

export type ServerType = keyof typeof SERVER_MESSAGES;
export type ServerMessage<Name extends ServerType> = Static<(typeof SERVER_MESSAGES)[Name]>;
