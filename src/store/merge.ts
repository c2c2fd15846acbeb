/**
 * Merging of small rows as they age.
 *
 * In two levels, so that a step stays short and an event is rewritten twice at most: rows of single events become rows
 * of some hundred, those become rows of some thousand. A step takes one *block*: rows that hold together a run of
 * positions without a gap. Of each schema in it one row is made; where sources interleave it names its events'
 * positions. Rows that are large already are left as they are.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { DTYPE_BYTES, encodeColumns } from '../wire/columns.ts';
import {
  clocksOf,
  concatColumns,
  type LogRow,
  lateBits,
  lateOf,
  positionsOf,
  type RowHeader,
  type Rows,
} from './rows.ts';
import type { Schemas } from './schemas.ts';

/** Events of a block at which it is closed, by level. */
const BLOCK_EVENTS = [256, 8192] as const;
/** Rows that a step looks at. */
const STEP_ROWS = 256;

export class Merger {
  readonly #db: DatabaseSync;
  readonly #rows: Rows;
  readonly #schemas: Schemas;
  readonly #keepClocks: boolean;
  readonly #save: StatementSync;
  /** By level: all up to this position is merged. */
  #done: number[];

  /** @param keepClocks events keep the clock of their batch, as a wall clock needs it */
  constructor(db: DatabaseSync, rows: Rows, schemas: Schemas, keepClocks: boolean) {
    this.#db = db;
    this.#rows = rows;
    this.#schemas = schemas;
    this.#keepClocks = keepClocks;
    this.#save = db.prepare("INSERT OR REPLACE INTO meta VALUES ('merged', ?)");
    const stored = db.prepare("SELECT value FROM meta WHERE key = 'merged'").get()?.['value'] as string | undefined;
    this.#done = stored === undefined ? BLOCK_EVENTS.map(() => 0) : JSON.parse(stored);
  }

  /**
   * One step. @param head position of the log
   * @returns whether there was anything to do
   */
  step(head: number): boolean {
    for (const [level, target] of BLOCK_EVENTS.entries()) {
      const from = this.#done[level]!;
      const to = level === 0 ? head : this.#done[level - 1]!;
      // Asked after every commit: where too few events have come, no row need be looked at.
      if (to - from < target) continue;
      const block = closedBlock(this.#rows.headers(from, to, STEP_ROWS), from, target);
      if (block === null) continue;
      const end = block.at(-1)!.position;
      const done = this.#done.with(level, end);
      const schemas = new Set(block.map(({ schema }) => schema));
      // Where merging would save no row only the mark moves on; it is stored with the next merge.
      if (schemas.size < block.length) this.#merge(from, end, done);
      this.#done = done;
      return true;
    }
    return false;
  }

  #merge(from: number, to: number, done: number[]): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const groups = Map.groupBy(this.#rows.between(from, to), ({ schema }) => schema);
      for (const rows of groups.values()) {
        if (rows.length === 1) continue;
        for (const { position } of rows) this.#rows.delete(position);
        this.#rows.insert(this.#joined(rows));
      }
      this.#save.run(JSON.stringify(done));
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** @param rows of one schema, by position: at this point no two of them interleave */
  #joined(rows: LogRow[]): LogRow {
    const first = rows[0]!;
    const last = rows.at(-1)!;
    const n = rows.reduce((sum, row) => sum + row.n, 0);
    const late: number[] = [];
    let at = 0;
    for (const row of rows) {
      for (const i of lateOf(row)) late.push(at + i);
      at += row.n;
    }
    const gapless = n === last.position - first.first + 1;
    const oneClock = rows.every((row) => row.clock === last.clock && row.clocks === null);
    return {
      position: last.position,
      first: first.first,
      schema: first.schema,
      n,
      ts_min: rows.reduce((least, row) => Math.min(least, row.ts_min), Infinity),
      ts_max: rows.reduce((most, row) => Math.max(most, row.ts_max), -Infinity),
      clock: last.clock,
      late: lateBits(late, n),
      columns: concatColumns(
        rows,
        this.#schemas.get(first.schema).columns.map(({ dtype }) => DTYPE_BYTES[dtype]),
      ),
      positions: gapless ? null : joinI8(rows, n, positionsOf),
      clocks: oneClock || !this.#keepClocks ? null : joinI8(rows, n, clocksOf),
    };
  }
}

/** The rows of the next block, or null where it is not full yet. */
function closedBlock(rows: RowHeader[], from: number, target: number): RowHeader[] | null {
  let sum = 0;
  let closed = 0;
  for (const [i, row] of rows.entries()) {
    // A large row came as one batch. It stands alone, and ends the block before it.
    if (row.n >= target) return rows.slice(0, Math.max(i, 1));
    sum += row.n;
    if (sum !== row.position - from) continue;
    if (sum >= target) return rows.slice(0, i + 1);
    closed = i + 1;
  }
  return rows.length === STEP_ROWS && closed > 0 ? rows.slice(0, closed) : null;
}

function joinI8(rows: LogRow[], n: number, valuesOf: (row: LogRow) => Float64Array): Uint8Array {
  const values = new Float64Array(n);
  let at = 0;
  for (const row of rows) {
    values.set(valuesOf(row), at);
    at += row.n;
  }
  return encodeColumns([{ dtype: 'i8', values }]);
}
