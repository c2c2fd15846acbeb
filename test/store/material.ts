/** What the tests of the store share: a source, batches from plain events, folders, and the log read back as events. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Field, Source } from '../../src/registry/view.ts';
import type { LogOptions } from '../../src/store/log.ts';
import type { Batch, BatchKey, CodedColumn, SchemaSpec } from '../../src/store/log-row.ts';
import { ColumnReader } from '../../src/wire/columns.ts';

export const SECOND = 1e6;
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;
/** 2001-06-23T12:00:00Z */
export const T0 = 993_297_600 * SECOND;

export function sourceOf(name: string, fields: Field[] = [], changes: Partial<Source> = {}): Source {
  return {
    name,
    keys: [{ entity: 'airport', template: ['', 'origin', ''] }],
    timestamp: 'date',
    fields: [{ name: 'delay', type: 'float' }, { name: 'carrier', type: 'category' }, ...fields],
    lateness: DAY,
    maxAhead: DAY,
    retention: 31 * DAY,
    history: 170 * DAY,
    ...changes,
  };
}

export interface PlainEvent {
  ts: number;
  airport: string;
  delay?: number | null;
  carrier?: string | null;
}

/** Knows which texts have codes; like the main thread's mirror of the dictionaries. */
export interface Codes {
  codeOf(name: string, value: string): number;
}

export const noCodes: Codes = { codeOf: () => -1 };

let nextId = 1;

export function batchOf(
  events: PlainEvent[],
  { source = 'departures', codes = noCodes, ...rest }: Partial<Batch> & { codes?: Codes } = {},
): Batch {
  const coded = (name: string, texts: (string | null)[]): CodedColumn => {
    const fresh: string[] = [];
    const column = texts.map((text) => {
      if (text === null) return -1;
      const code = codes.codeOf(name, text);
      if (code >= 0) return code;
      if (!fresh.includes(text)) fresh.push(text);
      return -2 - fresh.indexOf(text);
    });
    return { codes: Int32Array.from(column), fresh };
  };
  return {
    id: nextId++,
    source,
    n: events.length,
    index: null,
    timestamps: Float64Array.from(events, ({ ts }) => ts),
    keys: [
      coded(
        '@airport',
        events.map(({ airport }) => airport),
      ),
    ],
    fields: [
      Float64Array.from(events, ({ delay }) => delay ?? Number.NaN),
      coded(
        `${source}.carrier`,
        events.map(({ carrier }) => carrier ?? null),
      ),
    ],
    rejected: [],
    key: null,
    wall: T0,
    ...rest,
  };
}

export const keyOf = (batch: string | number, producer = 'p', chunk = 0): BatchKey => ({ producer, batch, chunk });

export function optionsOf(changes: Partial<LogOptions> = {}): LogOptions {
  return {
    folder: ':memory:',
    shards: 64,
    durability: 'normal',
    batchKeyDays: 7,
    alertRing: 3,
    sources: [sourceOf('departures')],
    clock: { mode: 'event', sources: null },
    ...changes,
  };
}

const folders: string[] = [];

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-store-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
}

export interface StoredEvent extends Required<PlainEvent> {
  position: number;
  source: string;
  late: boolean;
}

/** Another connection to a log's file, for looking and for doing harm; it waits while the log's own writes. */
export function foreign(folder: string): DatabaseSync {
  return new DatabaseSync(join(folder, 'log.db'), { timeout: 5000 });
}

/** Every event of a log's file, by position, read as a worker reads it. */
export function readLog(folder: string, from = 0, to = Infinity): StoredEvent[] {
  const db = foreign(folder);
  try {
    const specs = new Map<number, SchemaSpec>();
    for (const { id, spec } of db.prepare('SELECT id, spec FROM schemas').all()) {
      specs.set(id as number, JSON.parse(spec as string));
    }
    const values = new Map<string, string>();
    for (const { name, code, value } of db.prepare('SELECT name, code, value FROM dictionary').all()) {
      values.set(`${name} ${code}`, value as string);
    }
    const events: StoredEvent[] = [];
    const rows = db.prepare('SELECT * FROM log WHERE position > ? AND first <= ?').all(from, to);
    for (const row of rows) {
      const n = row['n'] as number;
      const { source, columns } = specs.get(row['schema'] as number)!;
      const reader = new ColumnReader(row['columns'] as Uint8Array);
      const read = new Map(columns.map(({ name, dtype }) => [name, reader[dtype](n)]));
      const positions = row['positions'] === null ? null : new ColumnReader(row['positions'] as Uint8Array).i8(n);
      const late = row['late'] as Uint8Array | null;
      for (let i = 0; i < n; i++) {
        const delay = read.get('delay')![i]!;
        const event: StoredEvent = {
          position: positions?.[i] ?? (row['first'] as number) + i,
          source,
          ts: read.get('@timestamp')![i]!,
          airport: values.get(`@airport ${read.get('@airport')![i]}`)!,
          delay: Number.isNaN(delay) ? null : delay,
          carrier: values.get(`${source}.carrier ${read.get('carrier')![i]}`) ?? null,
          late: late !== null && (late[i >> 3]! & (1 << (i & 7))) !== 0,
        };
        if (event.position > from && event.position <= to) events.push(event);
      }
    }
    return events.sort((a, b) => a.position - b.position);
  } finally {
    db.close();
  }
}
