/** Rows of the table `log` as they are stored, and the events inside them. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Micros } from '../clock.ts';
import { ColumnReader, pad8 } from '../wire/columns.ts';

/** The small columns of a row. */
export interface RowHeader {
  /** Position of its last event. */
  position: number;
  /** Position of its first event. */
  first: number;
  schema: number;
  n: number;
  ts_min: Micros;
  ts_max: Micros;
}

/** A whole row. */
export interface LogRow extends RowHeader {
  clock: Micros;
  /** One bit an event, the first in the lowest bit of the first byte; null: none is late. */
  late: Uint8Array | null;
  /** A block of columns of the row's schema. */
  columns: Uint8Array;
  /** `i8`, one an event; null where they run from `first` to `position` without a gap. */
  positions: Uint8Array | null;
  /** `i8`, one an event; null where all are `clock`, or where events move the clock. */
  clocks: Uint8Array | null;
}

const HEADER = 'position, first, schema, n, ts_min, ts_max';
const ROW = `${HEADER}, clock, late, columns, positions, clocks`;

export class Rows {
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #headers: StatementSync;
  readonly #between: StatementSync;
  readonly #newest: StatementSync;
  readonly #at: StatementSync;
  readonly #head: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare(`INSERT INTO log (${ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#delete = db.prepare('DELETE FROM log WHERE position = ?');
    this.#headers = db.prepare(
      `SELECT ${HEADER} FROM log WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`,
    );
    this.#between = db.prepare(`SELECT ${ROW} FROM log WHERE position > ? AND position <= ? ORDER BY position`);
    this.#newest = db.prepare('SELECT schema, MAX(ts_max) AS newest FROM log GROUP BY schema');
    this.#at = db.prepare('SELECT clock FROM log WHERE position <= ? ORDER BY position DESC LIMIT 1');
    this.#head = db.prepare('SELECT COALESCE(MAX(position), 0) AS head FROM log');
  }

  insert(row: LogRow): void {
    const { position, first, schema, n, ts_min, ts_max, clock, late, columns, positions, clocks } = row;
    this.#insert.run(position, first, schema, n, ts_min, ts_max, clock, late, columns, positions, clocks);
  }

  delete(position: number): void {
    this.#delete.run(position);
  }

  /** At most `limit` headers with `from < position ≤ to`. */
  headers(from: number, to: number, limit: number): RowHeader[] {
    return this.#headers.all(from, to, limit) as unknown as RowHeader[];
  }

  /** Rows with `from < position ≤ to`. */
  between(from: number, to: number): LogRow[] {
    return this.#between.all(from, to) as unknown as LogRow[];
  }

  /** Newest timestamp by schema. */
  newest(): { schema: number; newest: Micros }[] {
    return this.#newest.all() as unknown as { schema: number; newest: Micros }[];
  }

  /** Position of the last event; 0: the log is empty. */
  head(): number {
    return this.#head.get()!['head'] as number;
  }

  /** The clock after the last row that ends at or before a position; 0: there is none. */
  clockUpTo(position: number): Micros {
    return (this.#at.get(position)?.['clock'] as number | undefined) ?? 0;
  }
}

export function timestampsOf(row: LogRow): Float64Array {
  return new ColumnReader(row.columns).i8(row.n);
}

export function positionsOf(row: LogRow): Float64Array {
  if (row.positions !== null) return new ColumnReader(row.positions).i8(row.n);
  return Float64Array.from({ length: row.n }, (_, i) => row.first + i);
}

/** Under a wall clock: the clock after each event. */
export function clocksOf(row: LogRow): Float64Array {
  if (row.clocks !== null) return new ColumnReader(row.clocks).i8(row.n);
  return new Float64Array(row.n).fill(row.clock);
}

/** @param late ascending indexes */
export function lateBits(late: readonly number[], n: number): Uint8Array | null {
  if (late.length === 0) return null;
  const bits = new Uint8Array(Math.ceil(n / 8));
  for (const i of late) bits[i >> 3]! |= 1 << (i & 7);
  return bits;
}

export function lateOf(row: LogRow): number[] {
  const late: number[] = [];
  if (row.late === null) return late;
  for (let i = 0; i < row.n; i++) if (row.late[i >> 3]! & (1 << (i & 7))) late.push(i);
  return late;
}

/** The columns of several rows of one schema, row after row. @param widths bytes of a value, by column */
export function concatColumns(rows: readonly LogRow[], widths: readonly number[]): Uint8Array {
  const n = rows.reduce((sum, row) => sum + row.n, 0);
  const block = new Uint8Array(widths.reduce((sum, width) => sum + pad8(width * n), 0));
  const read = new Float64Array(rows.length);
  let start = 0;
  for (const width of widths) {
    let at = start;
    for (const [i, row] of rows.entries()) {
      const from = read[i]!;
      block.set(row.columns.subarray(from, from + width * row.n), at);
      at += width * row.n;
      read[i] = from + pad8(width * row.n);
    }
    start += pad8(width * n);
  }
  return block;
}
