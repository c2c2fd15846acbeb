/** The store as the other rooms see it: batches go in, commits come out in log order. */
import type { Micros } from '../clock.ts';
import type { HeadraceError } from '../errors.ts';
import type { Registry, Source } from '../registry/view.ts';
import type { StoredDefinition } from './definitions.ts';
import type { Batch, CommitGroup, SchemaSpec } from './log-row.ts';

export type Durability = 'full' | 'normal';

export interface StoreOptions {
  /** Folder of `log.db`; made where it is missing. */
  folder: string;
  /** Number of virtual shards of a new log; a log that exists keeps its own. */
  shards: number;
  durability: Durability;
  /** Bytes of events that one transaction takes. */
  commitBytesMax: number;
  /** Days of wall time for which a batch key is remembered. */
  batchKeyDays: number;
  /** Alerts that are kept. */
  alertRing: number;
  sources: Source[];
  clock: Registry['clock'];
}

/** What a log holds when it is opened. */
export interface LogState {
  /** Path of the SQLite file, for those who read it. */
  path: string;
  /** Number of events in the log. */
  position: number;
  /** The engine's clock after the last event; 0 for an empty log. */
  clock: Micros;
  shards: number;
  /** `values[code]`, whole. */
  dictionaries: { name: string; values: string[] }[];
  /** All schemas that rows of the log have, by id. */
  schemas: Record<string, SchemaSpec>;
  /** Newest timestamp by source, microseconds; sources without events are left out. */
  newest: Record<string, Micros>;
  alerts: AlertRing;
  /** The newest definition of every view version that was ever served. */
  definitions: StoredDefinition[];
}

/** What the log keeps of a registry. */
export interface NewRegistry {
  sources: Source[];
  /** Those that are new or changed. */
  definitions: Omit<StoredDefinition, 'position'>[];
}

/** What came of writing down a registry. */
export interface Defined {
  /** From which the definitions hold. */
  position: number;
  /** All schemas by id, those of the new sources included. */
  schemas: Record<string, SchemaSpec>;
}

/** The alerts that are kept: the last of them has `offset`, the one before it `offset − 1`… */
export interface AlertRing {
  /** Given once, when the log was made. */
  epoch: string;
  /** Number of alerts ever appended. */
  offset: number;
  bodies: string[];
}

/** Where a producer stands. */
export interface LastBatch {
  batch: string | number;
  chunk: number;
  position: number;
  accepted: number;
}

export interface StoreEvents {
  /** Durable, in log order. Also brings the batches that could not be written, with their errors. */
  committed(group: CommitGroup): void;
  /** Upkeep (merging, forgetting old keys) failed and is tried again after the next commit; nothing is lost. */
  warning(error: HeadraceError): void;
  /** The store has ended by itself and takes nothing more; all that was in flight has been answered. */
  failed(error: HeadraceError): void;
}

export interface Store {
  /** Bytes of events between {@link append} and {@link StoreEvents.committed}. */
  readonly bytesInFlight: number;
  /** Hand over a batch. Its arrays are transferred: they must own their buffers, and are empty afterwards. */
  append(batch: Batch): void;
  /** The engine's clock right after the event at this position; `unknown_position` past the head. */
  clockAt(position: number): Promise<Micros>;
  /** The newest batch of a producer that was answered; null: none. */
  lastBatch(source: string, producer: string): Promise<LastBatch | null>;
  /** @returns the offset of the last of them */
  appendAlerts(bodies: string[]): Promise<number>;
  /** Writes down what a registry needs in the log, all or nothing, before it takes over. */
  define(registry: NewRegistry): Promise<Defined>;
  /** Batches handed over after this call are of these sources, those before it of the ones before. */
  use(sources: Source[]): void;
  /** Commit what is queued and close the log. */
  close(): Promise<void>;
}
