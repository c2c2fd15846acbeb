/** The alerts that are kept for clients that come back: a bounded ring under an epoch of its own. */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { AlertRing } from './store.ts';

export class AlertTable {
  readonly #db: DatabaseSync;
  readonly #size: number;
  readonly #epoch: string;
  readonly #insert: StatementSync;
  readonly #trim: StatementSync;

  constructor(db: DatabaseSync, size: number) {
    this.#db = db;
    this.#size = size;
    // A name that no other log has: a client's offset into another one's alerts must not fit here.
    db.prepare("INSERT OR IGNORE INTO meta VALUES ('alerts_epoch', ?)").run(randomUUID());
    this.#epoch = db.prepare("SELECT value FROM meta WHERE key = 'alerts_epoch'").get()!['value'] as string;
    this.#insert = db.prepare('INSERT INTO alerts (epoch, body) VALUES (?, ?)');
    this.#trim = db.prepare('DELETE FROM alerts WHERE "offset" <= ?');
  }

  all(): AlertRing {
    const rows = this.#db.prepare('SELECT "offset" AS at, body FROM alerts ORDER BY "offset"').all();
    const offset = (rows.at(-1)?.['at'] as number | undefined) ?? 0;
    return { epoch: this.#epoch, offset, bodies: rows.map((row) => row['body'] as string) };
  }

  /** @returns the offset of the last of them */
  append(bodies: string[]): number {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const body of bodies) this.#insert.run(this.#epoch, body);
      const { offset } = this.all();
      this.#trim.run(offset - this.#size);
      this.#db.exec('COMMIT');
      return offset;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}
