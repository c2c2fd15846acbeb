/** Parts that messages and HTTP bodies share. A schema's `description` is what the documents print. */
import { Type } from 'typebox';
import { ERRORS, type ErrorCode } from '../errors.ts';

/** Past these, several whole numbers of JSON are read as one. */
export const EXACT = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };

/** A count or a place: from 0 to the last whole number that is exact. */
export const whole = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

/** Text or number, said in one `type` so that an error can name both. */
const textOrNumber = (description: string, bounds: { minimum?: number; maximum?: number } = {}) =>
  Type.Unsafe<string | number>({ type: ['string', 'number'], ...bounds, description });

const textOrNull = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], description });

export const RequestId = textOrNumber("The client's own name of the request, echoed by its answer", EXACT);

const TimeIn = (description: string) =>
  textOrNumber(`${description}; ISO 8601 (UTC where it names no zone) or epoch milliseconds`);

export const ErrorCodeSchema = Type.Unsafe<ErrorCode>({
  type: 'string',
  enum: Object.keys(ERRORS),
  description: 'From the one table of error codes',
});

export const Position = whole('Place in the log; 0 is before the first event');

/** What selects features; the same for `get`, `subscribe`, `POST /features` and `POST /features/batch`. */
export const selection = {
  service: Type.Optional(
    Type.String({ description: 'Name of a feature service, in the place of view, version and features' }),
  ),
  view: Type.Optional(Type.String({ description: 'Name of the view; may be left out where the registry has one' })),
  version: Type.Optional(
    Type.String({ description: 'Version of the view; the last listed that is not deprecated where left out' }),
  ),
  features: Type.Optional(
    Type.Array(Type.String(), {
      minItems: 1,
      description: "Names of the wanted features; all of the view's where left out",
    }),
  ),
};

export const moment = {
  request: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description: 'Inputs of the request by name, for the features that depend on it; null where left out',
    }),
  ),
  timeout_ms: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 60_000, description: 'Deadline in milliseconds; 5000 where left out' }),
  ),
  as_of: Type.Optional(TimeIn('The moment for which the values are asked, within the history of the view')),
  position: Type.Optional(whole('Answer with what the log held at this position, and the same bits for ever')),
  min_position: Type.Optional(whole('Answer with at least this much of the log: reads after one’s own write')),
};

/** What every answer with values says first. */
export const answered = {
  view: Type.String({ description: 'Name of the view, or of the service' }),
  version: Type.String({ description: 'Version of the view; `service` where a service was asked for' }),
  service: Type.Optional(Type.String({ description: 'The service that was asked for' })),
  deprecated: Type.Optional(
    Type.String({ description: 'The version is deprecated, from this date (ISO 8601); ask for another' }),
  ),
};

const FeatureValue = Type.Unsafe<number | string | boolean | null>({
  type: ['number', 'string', 'boolean', 'null'],
  description: 'null: no value',
});

const Features = Type.Record(Type.String(), FeatureValue, { description: 'Values by feature name' });

/** The fields by which a value can be computed again, and its times. */
export const provenance = {
  revision: whole('Rises whenever the bits of the row change; may skip'),
  as_of: Type.String({ description: 'End of the windows, RFC 3339 with six digits of fraction' }),
  position: Position,
  event_time: textOrNull('Time of the newest event inside the values; null: no event'),
  computed_at: Type.String({ description: 'Wall time of the computation' }),
  valid_until: textOrNull('Moment at which an event enters or leaves a window; null: never'),
};

export const ValueRow = Type.Object(
  {
    entity_id: Type.String(),
    features: Features,
    ...provenance,
    request_time: Type.Optional(
      Type.String({ description: 'Time of the request, where one of the features depends on the request' }),
    ),
    cached: Type.Boolean({ description: 'The row was in the cache' }),
    stale: Type.Optional(Type.Boolean({ description: 'The row is past its TTL; nothing fresh could be had' })),
    default: Type.Optional(Type.Boolean({ description: 'The values are the declared defaults of the view' })),
  },
  { description: 'The values of one entity' },
);

const CodeAndMessage = Type.Object({ code: ErrorCodeSchema, message: Type.String() });

export const ErrorRow = Type.Object(
  { entity_id: Type.String(), error: CodeAndMessage },
  { description: 'Why this entity has no values; the other rows stand' },
);

export const Rows = Type.Array(Type.Union([ValueRow, ErrorRow]), { description: 'In the order asked' });

export const Rejection = Type.Object(
  {
    index: Type.Integer({ minimum: 0, description: 'Place in the request' }),
    code: ErrorCodeSchema,
    message: Type.String(),
  },
  { description: 'An event that was not taken' },
);

/** The outcome of an ingest. */
export const ingestOutcome = {
  position: whole('Position of the last accepted event; where none was accepted, the head of the log'),
  accepted: Type.Integer({ minimum: 0, description: 'Events taken, late ones included' }),
  late: Type.Integer({ minimum: 0, description: 'Of the accepted, those too old to enter a feature' }),
  duplicate: Type.Integer({
    minimum: 0,
    description: 'Events that an earlier request with this batch key had brought',
  }),
  rejected: Type.Array(Rejection),
};

export const errorFields = {
  code: ErrorCodeSchema,
  message: Type.String({ description: 'What was found, what was expected and what to do' }),
  temporary: Type.Boolean({ description: 'The same request may succeed later' }),
  retry_after_ms: Type.Optional(Type.Number({ description: 'Milliseconds to wait before it is tried again' })),
  data: Type.Optional(Type.Unknown({ description: 'Details, by code' })),
};

export const alertFields = {
  epoch: Type.String({ description: 'Of the stored alerts; changes only where their past is lost' }),
  offset: Type.Integer({ minimum: 0, description: 'Place among the alerts' }),
};

export const Alert = Type.Record(Type.String(), Type.Unknown(), {
  description: 'fingerprint, name, severity, state, labels, value, threshold, starts_at, ends_at, evidence',
});

export { Features };
