/** Bodies and answers of the HTTP routes: one source for types, validation and `/openapi.json`. */
import { type Static, Type } from 'typebox';
import {
  Alert,
  alertFields,
  errorFields as allErrorFields,
  answered,
  ingestOutcome,
  moment,
  Position,
  Rows,
  selection,
  ValueRow,
} from './parts.ts';

// A problem document says `detail` where a message says `message`.
const { message: _message, ...errorFields } = allErrorFields;
const text = Type.String();
const count = Type.Integer({ minimum: 0 });
const number = Type.Number();
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

export const FeaturesAnswer = Type.Intersect([Type.Object(answered), ValueRow], {
  description: 'The values of one entity',
});

export const BatchAnswer = Type.Object({ ...answered, rows: Rows }, { description: 'The values of many entities' });

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
  accepted: Type.Integer({ minimum: 0, description: 'Events of it that were taken' }),
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

const duration = Type.String({ description: 'As in the registry: a number and ms, s, m, h or d' });

const RegistryFeature = Type.Object({
  name: text,
  type: Type.String({ description: 'statistical, time_series, expression, request or python' }),
  output: Type.String({ description: 'float64, int64, bool, string or timestamp' }),
  description: Type.Optional(text),
  definition: details('How it is computed'),
});

const RegistrySource = Type.Object({
  name: text,
  keys: Type.Record(Type.String(), Type.String(), { description: 'By entity, how the id is made of columns' }),
  timestamp: Type.String({ description: 'The column that holds the time' }),
  fields: Type.Record(Type.String(), Type.String(), { description: 'Types by field' }),
  lateness: duration,
  max_ahead: duration,
  retention: duration,
  history: duration,
});

const versionFields = {
  hash: Type.String({ description: 'Definition hash' }),
  history: duration,
  inputs: Type.Record(Type.String(), Type.String(), { description: 'Types by input of a request' }),
  features: Type.Array(RegistryFeature),
};

const RegistryService = Type.Object({
  name: text,
  description: text,
  entity: text,
  ttl: duration,
  exact: Type.Boolean(),
  ...versionFields,
});

const RegistryView = Type.Object({
  name: text,
  description: text,
  entity: text,
  ttl: duration,
  exact: Type.Boolean(),
  update_age_on_get: Type.Boolean(),
  stale_while_revalidate: duration,
  versions: Type.Array(
    Type.Object({
      version: text,
      deprecated: Type.Unsafe<string | null>({
        type: ['string', 'null'],
        description: 'ISO date from which callers are warned',
      }),
      ...versionFields,
    }),
  ),
});

export const RegistryAnswer = Type.Object(
  {
    project: text,
    clock: Type.Object({
      mode: Type.String({ description: 'wall or event' }),
      sources: Type.Unsafe<string[] | null>({ type: ['array', 'null'], items: { type: 'string' } }),
    }),
    entities: Type.Array(Type.Object({ name: text, description: text })),
    sources: Type.Array(RegistrySource),
    views: Type.Array(RegistryView),
    services: Type.Array(RegistryService),
  },
  { description: 'What is declared' },
);
export type RegistryAnswer = Static<typeof RegistryAnswer>;

export const ReloadBody = Type.Object(
  {
    force: Type.Optional(
      Type.Boolean({
        description: 'Take definitions that have changed under an unchanged version; false where left out',
      }),
    ),
  },
  { description: 'Read the registry again' },
);

const versionNames = (description: string) => Type.Array(text, { description });

export const ReloadAnswer = Type.Object(
  {
    position: Position,
    added: versionNames('`VIEW@VERSION`, and `service NAME`, that are new'),
    removed: versionNames('Those that are no more'),
    changed: versionNames('Those with another definition or other options'),
    unchanged: versionNames('Those that go on with all that was computed'),
    sources: versionNames('Sources that are new, no more, or otherwise declared'),
  },
  { description: 'The registry was read again and serves; its definitions hold from `position` on' },
);
export type ReloadAnswer = Static<typeof ReloadAnswer>;

const FleetWorker = Type.Object({
  slot: Type.Integer({ minimum: 0, description: 'Place in the fleet; a new process takes it over' }),
  identity: Type.String({ description: 'Fresh for each process' }),
  pid: count,
  state: Type.String({ description: 'starting, loading, ready, ending, waiting, broken or stopped' }),
  shards: Type.Array(Type.Integer(), { description: 'The shards that it owns' }),
  position: Type.Integer({ minimum: 0, description: 'All events up to here are applied' }),
  loading: Type.Unsafe<{ loaded: number; total: number } | null>({
    type: ['object', 'null'],
    properties: { loaded: count, total: count },
    description: 'Events read and in all, while it loads',
  }),
  queue: Type.Integer({ minimum: 0, description: 'Entities that wait for it' }),
  queue_bytes: Type.Integer({ minimum: 0, description: 'Bytes of events that wait for it' }),
  in_flight_ms: Type.Unsafe<number | null>({
    type: ['number', 'null'],
    description: 'Age of the frame that it works on; null: none',
  }),
  restarts: count,
  last_error: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  loaded_rows: Type.Integer({
    minimum: 0,
    description: 'Rows that it read from the log when it was given its shards',
  }),
  computed: Type.Integer({ minimum: 0, description: 'Values computed since the start' }),
  usage: Type.Unsafe<{ cpu_seconds: number; rss_bytes: number } | null>({
    type: ['object', 'null'],
    properties: { cpu_seconds: number, rss_bytes: number },
    description: 'Of its process; null: it does not run',
  }),
});

const FeatureFailures = Type.Object({
  view: text,
  version: text,
  feature: text,
  reason: Type.Unsafe<'raised' | 'timed_out' | 'wrong_output'>({
    type: 'string',
    description: 'raised, timed_out or wrong_output',
  }),
  rows: Type.Integer({ minimum: 0, description: 'Values that are null for it, since the definition is served' }),
  message: Type.String({ description: 'Of the newest: file, line, function, and what was wrong' }),
  as_of: Type.String({ description: 'Of the newest, ISO 8601' }),
});

export const FleetAnswer = Type.Object(
  {
    ready: Type.Boolean({ description: 'Every shard has an owner that takes work' }),
    position: Type.Integer({ minimum: 0, description: 'Head of the log that the fleet knows' }),
    shards: count,
    workers: Type.Array(FleetWorker),
    failures: Type.Array(FeatureFailures, { description: 'What goes wrong in Python features, by kind' }),
  },
  { description: 'The Python workers' },
);
export type FleetAnswer = Static<typeof FleetAnswer>;

const Moments = Type.Object(
  { n: count, mean: numberOrNull, std: numberOrNull },
  { description: 'Of the clamped sample, in the unit of the feature' },
);

const DriftFeature = Type.Object({
  view: text,
  version: text,
  feature: text,
  status: Type.String({ description: 'ok, insufficient or degenerate' }),
  score: Type.Unsafe<number | null>({ type: ['number', 'null'], description: 'Seed score; null unless status is ok' }),
  threshold: Type.Number({ description: 'Above it the feature drifts' }),
  drifting: Type.Boolean(),
  alert: Type.String({ description: 'inactive, pending or firing' }),
  baseline_n: count,
  current_n: count,
  mean_shift: numberOrNull,
  cv_shift: numberOrNull,
  range: numberOrNull,
  baseline: Moments,
  current: Moments,
});

const DriftView = Type.Object(
  { view: text, version: text, baseline_n: count, baseline_max: count, window_n: count },
  { description: 'Vectors so far; the window fills once the baseline is full' },
);

export const DriftAnswer = Type.Object(
  {
    as_of: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'Of the last tick' }),
    interval_ms: number,
    views: Type.Array(DriftView),
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
