/**
 * What the two edges need of the engine: functions, handed over by engine.ts. The edges import no other room.
 *
 * A `Reply` is called exactly once, in the same turn or later; its first argument is null where the request succeeded.
 */
import type { RecordBatch } from 'apache-arrow';
import type { ErrorBody, HeadraceError } from '../errors.ts';
import type { Sink } from '../push/sink.ts';
import type { Query, RowState } from '../serve/query.ts';
import type { BatchKey, IngestAnswer } from '../store/log-row.ts';
import type {
  AlertsAnswer,
  BatchBody,
  DriftAnswer,
  FleetAnswer,
  LastBatch,
  Readiness,
  RegistryAnswer,
  ReloadAnswer,
} from './bodies.ts';
import type { ClientMessage, ServerMessage } from './messages.ts';

export type Reply<T> = (error: HeadraceError | null, value: T | null) => void;

/** A request for features whose shape is checked; names, times and positions are not. */
export type FeaturesRequest = BatchBody;

export interface Answer {
  /** The text of the JSON array of rows, in the order asked; bytes where a thread made them. */
  rows: string | Buffer;
  /** How the row was had, where one entity was asked for. */
  state: RowState;
  /** Why there are no values, where one entity was asked for and failed; `rows` holds its error row all the same. */
  failed: ErrorBody | null;
}

export interface FeatureService {
  /**
   * Names to indexes, defaults filled in. Throws what concerns the whole request: unknown view, version or feature,
   * a time that is none or outside history, a position beyond the log. Ids that are empty or too long become error
   * rows of the answer.
   */
  resolve(request: FeaturesRequest): Query;
  /** The row's text where one entity is asked for and a fresh row of it is in the cache; else null. Counts as a hit. */
  hot(query: Query): string | null;
  answer(query: Query, done: Reply<Answer>): void;
}

export interface IngestService {
  /**
   * Takes events of one source. `overloaded` and `unknown_source` are told before it returns, so that a stream can wait
   * with what follows.
   */
  rows(source: string, events: unknown[], key: BatchKey | null, done: Reply<IngestAnswer>): void;
  /** As {@link rows}, by column; the columns are of one length. */
  columns(source: string, columns: Record<string, unknown[]>, key: BatchKey | null, done: Reply<IngestAnswer>): void;
  /** As {@link rows}, from one Arrow record batch. */
  table(source: string, batch: RecordBatch, key: BatchKey | null, done: Reply<IngestAnswer>): void;
  /** The batch that the producer wrote last; null: none is remembered. */
  lastBatch(source: string, producer: string, done: Reply<LastBatch | null>): void;
}

export interface SubscribeRequest {
  query: Query;
  snapshot: boolean;
  resume: { epoch: string; revisions: Record<string, number> } | null;
}

export interface Subscribed {
  topic: number;
  epoch: string;
  resumed: boolean;
  /** The text of a JSON array. */
  rows: string | Buffer;
  rejected: ServerMessage<'subscribed'>['rejected'];
}

export interface PushService {
  /** Registers first, then reads the snapshot; what the sink gets of these entities meanwhile is newer than that. */
  subscribe(sink: Sink, request: SubscribeRequest, done: Reply<Subscribed>): void;
  /** Throws `unknown_topic`. @param entityIds null: the whole topic */
  unsubscribe(sink: Sink, topic: number, entityIds: string[] | null): void;
  /** The connection has room again: send what waited. */
  drained(sink: Sink): void;
  /** The connection is gone, with its topics and its watching of alerts. */
  closed(sink: Sink): void;
}

export interface Watching {
  epoch: string;
  offset: number;
  resumed: boolean;
  firing: ServerMessage<'watching'>['firing'];
  /** What is sent right after, oldest first; later alerts come through `Sink.control`. */
  missed: ServerMessage<'alert'>[];
}

export interface AlertService {
  watch(
    sink: Sink,
    request: {
      severity: 'info' | 'warning' | 'critical' | null;
      resume: ClientMessage<'watch_alerts'>['resume'] | null;
    },
  ): Watching;
  answer(): AlertsAnswer;
}

export interface RegistryService {
  /** Reads the registry's file again. @param force changed definitions are wanted */
  reload(force: boolean, done: Reply<ReloadAnswer>): void;
}

export interface StatusService {
  registry(): RegistryAnswer;
  fleet(): FleetAnswer;
  drift(): DriftAnswer;
  ready(): Readiness;
}

export interface Service {
  /** One a start of the engine. */
  epoch: string;
  /** Name and version, as `welcome` says them. */
  server: string;
  features: FeatureService;
  ingest: IngestService;
  push: PushService;
  alerts: AlertService;
  status: StatusService;
  registry: RegistryService;
}

export type AnswerKind = 'cached' | 'computed' | 'batch';

/** What the edges count. */
export interface EdgeMetrics {
  /** A request for features was answered. */
  answered(kind: AnswerKind, tookMs: number): void;
  /** A message or an HTTP request ended. @param code an error code, or `ok` */
  handled(edge: 'ws' | 'http', name: string, code: string): void;
  connected(delta: 1 | -1): void;
  /** Events of a source are durable, or told to be duplicates. */
  ingested(source: string, answer: IngestAnswer): void;
}
