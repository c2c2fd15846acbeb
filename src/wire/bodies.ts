/** Bodies and answers of the HTTP routes: one source for types, validation and `/openapi.json`. */
import { type Static, Type } from 'typebox';
import {
  Alert,
  alertFields,
  errorFields as allErrorFields,
  ingestOutcome,
  moment,
  Position,
  Rows,
  selection,
  ValueRow,
} from './parts.ts';

const view = { view: Type.String(), version: Type.String() };
// A problem document says `detail` where a message says `message`.
const { message: _message, ...errorFields } = allErrorFields;
const text = Type.String();
const count = Type.Integer({ minimum: 0 });
const number = Type.Number();
const timeOrNull = Type.Unsafe<string | null>({ type: ['string', 'null'] });
const numberOrNull = Type.Unsafe<number | null>({ type: ['number', 'null'] });
const details = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description });

export const FeaturesBody = Type.Object(
  { entity_id: Type.String({ description: 'Whose values' }), ...selection, ...moment },
  { description: 'Ask for the values of one entity' },
);
export type FeaturesBody = Static<typeof FeaturesBody>;

export const BatchBody = Type.Object(
  { entity_ids: Type.Array(Type.String(), { description: 'Whose values, in this order' }), ...selection, ...moment },
  { description: 'Ask for the values of many entities' },
);
export type BatchBody = Static<typeof BatchBody>;

export const EventsBody = Type.Unsafe<unknown>({
  anyOf: [{ type: 'array' }, { type: 'object' }],
  description: 'Events: objects with the columns of the source; a single object is one event',
});

/** A problem document (RFC 9457). */
export const Problem = Type.Object(
  {
    type: Type.String({ description: '`urn:headrace:error:` and the code' }),
    title: Type.String({ description: 'The code in words' }),
    status: Type.Integer({ description: 'The HTTP status' }),
    detail: Type.String({ description: 'What was found, what was expected and what to do' }),
    ...errorFields,
  },
  { description: 'An error' },
);

export const FeaturesAnswer = Type.Intersect([Type.Object(view), ValueRow], {
  description: 'The values of one entity',
});

export const BatchAnswer = Type.Object({ ...view, rows: Rows }, { description: 'The values of many entities' });

export const EventsAnswer = Type.Object(
  {
    ...ingestOutcome,
    rejected_count: Type.Integer({
      minimum: 0,
      description: 'All that were rejected; `rejected` lists the first 1,000',
    }),
  },
  { description: 'All accepted events are durable and visible to reads' },
);
export type EventsAnswer = Static<typeof EventsAnswer>;

const LastBatch = Type.Object({
  batch: Type.Unsafe<string | number>({ type: ['string', 'number'], description: 'Name of the batch' }),
  chunk: Type.Integer({ minimum: 0, description: 'Its last part' }),
  position: Position,
  at: Type.String({ description: 'Wall time at which it was written' }),
});
export type LastBatch = Static<typeof LastBatch>;

export const ProducerAnswer = Type.Object(
  {
    source: text,
    producer: text,
    last: Type.Union([LastBatch, Type.Null()], { description: 'What was written last; null: nothing is remembered' }),
  },
  { description: 'Where a producer stands' },
);

export const Health = Type.Object({ status: Type.Literal('ok') }, { description: 'The process answers' });

export const Readiness = Type.Object(
  {
    ready: Type.Boolean(),
    reasons: Type.Array(Type.String(), { description: 'What is missing; empty where ready' }),
    position: Position,
  },
  { description: 'Whether requests can be answered' },
);
export type Readiness = Static<typeof Readiness>;

const RegistryFeature = Type.Object({
  name: text,
  type: Type.String({ description: 'statistical, time_series or expression' }),
  output: Type.String({ description: 'float64, int64, bool, string or timestamp' }),
});

export const RegistryAnswer = Type.Object(
  {
    project: text,
    clock: Type.Object({
      mode: text,
      sources: Type.Unsafe<string[] | null>({ type: ['array', 'null'], items: { type: 'string' } }),
    }),
    entities: Type.Array(Type.Object({ name: text, description: text })),
    sources: Type.Array(
      Type.Object({
        name: text,
        keys: Type.Record(Type.String(), Type.String(), { description: 'By entity, how the id is made of columns' }),
        timestamp: Type.String({ description: 'The column that holds the time' }),
        fields: Type.Record(Type.String(), Type.String(), { description: 'Types by field' }),
        lateness_ms: number,
        max_ahead_ms: number,
        retention_ms: number,
        history_ms: number,
      }),
    ),
    views: Type.Array(
      Type.Object({
        name: text,
        version: text,
        hash: Type.String({ description: 'Definition hash' }),
        entity: text,
        description: text,
        ttl_ms: number,
        exact: Type.Boolean(),
        history_ms: number,
        features: Type.Array(RegistryFeature),
      }),
    ),
  },
  { description: 'What is declared' },
);
export type RegistryAnswer = Static<typeof RegistryAnswer>;

export const FleetWorker = Type.Object({
  worker: count,
  pid: numberOrNull,
  state: Type.String({ description: 'starting, loading, ready, hung, dead or stopped' }),
  shards: count,
  position: Type.Integer({ minimum: 0, description: 'All events up to here are applied' }),
  restarts: count,
  rss_bytes: numberOrNull,
  cpu_seconds: numberOrNull,
});

export const FleetAnswer = Type.Object(
  {
    position: Type.Integer({ minimum: 0, description: 'Durable head of the log' }),
    shards: Type.Object({ count, ready: count }),
    workers: Type.Array(FleetWorker),
  },
  { description: 'The Python workers' },
);
export type FleetAnswer = Static<typeof FleetAnswer>;

const DriftFeature = Type.Object({
  view: text,
  version: text,
  feature: text,
  status: Type.String({ description: 'ok, insufficient or degenerate' }),
  score: numberOrNull,
  threshold: number,
  drifting: Type.Boolean(),
  baseline_n: count,
  current_n: count,
});

export const DriftAnswer = Type.Object(
  {
    as_of: timeOrNull,
    interval_ms: number,
    features: Type.Array(DriftFeature, { description: 'The newest score of each feature' }),
  },
  { description: 'Drift of the current window against the baseline' },
);
export type DriftAnswer = Static<typeof DriftAnswer>;

export const AlertsAnswer = Type.Object(
  {
    ...alertFields,
    firing: Type.Array(Alert),
    recent: Type.Array(Type.Object({ ...alertFields, alert: Alert }), {
      description: 'Newest last, as far as they are kept',
    }),
  },
  { description: 'Alerts' },
);
export type AlertsAnswer = Static<typeof AlertsAnswer>;

export const IndexAnswer = Type.Object(
  {
    server: text,
    websocket: Type.String({ description: 'Path of the WebSocket' }),
    routes: Type.Array(Type.Object({ method: text, path: text, summary: text })),
  },
  { description: 'The routes' },
);

export const OpenApiAnswer = details('An OpenAPI 3.1 document');
