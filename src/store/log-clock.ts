/**
 * The engine's clock as the log knows it.
 *
 * Each row keeps the clock right after its last event. Under an event clock the clock within a row follows from the
 * timestamps; under a wall clock it is that of the batch, which merged rows keep event by event.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Micros } from '../clock.ts';
import type { Registry } from '../registry/view.ts';
import { clocksOf, type LogRow, positionsOf, type RowHeader, type Rows, timestampsOf } from './rows.ts';
import type { Schemas } from './schemas.ts';
import { movesClock } from './sequence.ts';

export class LogClock {
  readonly mode: Registry['clock'];
  readonly #rows: Rows;
  readonly #schemas: Schemas;

  constructor(mode: Registry['clock'], rows: Rows, schemas: Schemas) {
    this.mode = mode;
    this.#rows = rows;
    this.#schemas = schemas;
  }

  /** @param position within the log */
  at(position: number): Micros {
    let clock = this.#rows.clockUpTo(position);
    // Rows that begin at or before the position and end after it are of one merged block, which has one row a schema,
    // and a block's rows come before all later ones.
    for (const header of this.#rows.headers(position, Infinity, this.#schemas.size)) {
      if (header.first > position) continue;
      if (this.mode.mode === 'wall') {
        const row = this.#whole(header);
        const place = positionsOf(row).indexOf(position);
        if (place >= 0) return clocksOf(row)[place]!;
      } else if (this.#moves(header)) {
        clock = Math.max(clock, this.#newestUpTo(header, position));
      }
    }
    return clock;
  }

  /**
   * Writes the clock of all rows anew where the registry now has another event clock than the one they were written
   * under. Rows written under an event clock keep it when the engine goes over to the wall clock: nobody knows better.
   */
  restate(db: DatabaseSync): void {
    const text = JSON.stringify({ mode: this.mode.mode, sources: this.mode.sources?.toSorted() ?? null });
    const stored = db.prepare("SELECT value FROM meta WHERE key = 'clock'").get()?.['value'];
    if (stored === text) return;
    db.exec('BEGIN IMMEDIATE');
    try {
      if (stored !== undefined && this.mode.mode === 'event') this.#rewrite(db);
      db.prepare("INSERT OR REPLACE INTO meta VALUES ('clock', ?)").run(text);
      db.exec('COMMIT');
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  #rewrite(db: DatabaseSync): void {
    const update = db.prepare('UPDATE log SET clock = ?, clocks = NULL WHERE position = ?');
    let end = 0;
    let clock = 0;
    for (let block = this.#block(end); block.length > 0; block = this.#block(end)) {
      let at = clock;
      for (const row of block) {
        // Within a block the clock at a row's end takes in the other rows' events up to there.
        at = clock;
        for (const other of block) if (this.#moves(other)) at = Math.max(at, this.#newestUpTo(other, row.position));
        update.run(at, row.position);
      }
      clock = at;
      end = block.at(-1)!.position;
    }
  }

  /** The rows after `end` that hold together a run of positions without a gap: one row, or a merged block's rows. */
  #block(end: number): RowHeader[] {
    const rows = this.#rows.headers(end, Infinity, this.#schemas.size);
    let sum = 0;
    for (const [i, row] of rows.entries()) {
      sum += row.n;
      if (sum === row.position - end) return rows.slice(0, i + 1);
    }
    return rows;
  }

  #moves({ schema }: RowHeader): boolean {
    return movesClock(this.mode, this.#schemas.get(schema).source);
  }

  /** Newest timestamp among a row's events up to a position; −∞: none. */
  #newestUpTo(header: RowHeader, position: number): Micros {
    if (header.position <= position) return header.ts_max;
    if (header.first > position) return -Infinity;
    const row = this.#whole(header);
    const timestamps = timestampsOf(row);
    const positions = positionsOf(row);
    let newest = -Infinity;
    for (let i = 0; i < row.n && positions[i]! <= position; i++) newest = Math.max(newest, timestamps[i]!);
    return newest;
  }

  #whole({ position }: RowHeader): LogRow {
    return this.#rows.between(position - 1, position)[0]!;
  }
}
