/**
 * What producers were told, so that a retry is told the same: `answers` by batch key for some days, `producers` with
 * the newest of each for ever.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Micros } from '../clock.ts';
import type { BatchKey, IngestAnswer } from './log-row.ts';
import type { LastBatch } from './store.ts';

const DAY = 86_400e6;
/** Keys that one call forgets. */
const PURGE_ROWS = 256;

/** `5` and `"5"` are two batches. */
const batchText = (batch: string | number) => (typeof batch === 'number' ? `i${batch}` : `s${batch}`);
const batchOf = (text: string) => (text.startsWith('i') ? Number(text.slice(1)) : text.slice(1));

export class Answers {
  readonly #db: DatabaseSync;
  readonly #keep: Micros;
  readonly #find: StatementSync;
  readonly #record: StatementSync;
  readonly #advance: StatementSync;
  readonly #last: StatementSync;
  readonly #purge: StatementSync;

  constructor(db: DatabaseSync, batchKeyDays: number) {
    this.#db = db;
    this.#keep = batchKeyDays * DAY;
    this.#find = db.prepare(
      `SELECT digest, position, accepted, rejected FROM answers
       WHERE source = ? AND producer = ? AND batch = ? AND chunk = ? AND at >= ?`,
    );
    this.#record = db.prepare('INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#advance = db.prepare('INSERT OR REPLACE INTO producers VALUES (?, ?, ?, ?, ?, ?)');
    this.#last = db.prepare('SELECT batch, chunk, position, accepted FROM producers WHERE source = ? AND producer = ?');
    // Rows stand in order of arrival, so the oldest are the first and need no index of their own.
    this.#purge = db.prepare(
      `DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers ORDER BY rowid LIMIT ${PURGE_ROWS}) AND at < ?`,
    );
  }

  /** The answer to a retry, and the digest of what was taken then. */
  find(source: string, key: BatchKey, wall: Micros): { digest: Uint8Array; answer: IngestAnswer } | null {
    const row = this.#find.get(source, key.producer, batchText(key.batch), key.chunk, wall - this.#keep);
    if (row === undefined) return null;
    const answer: IngestAnswer = {
      position: row['position'] as number,
      accepted: 0,
      late: 0,
      duplicate: row['accepted'] as number,
      rejected: row['rejected'] === null ? [] : JSON.parse(row['rejected'] as string),
    };
    return { digest: row['digest'] as Uint8Array, answer };
  }

  record(source: string, key: BatchKey, digest: Uint8Array, answer: IngestAnswer, wall: Micros): void {
    const batch = batchText(key.batch);
    const { position, accepted, late } = answer;
    const rejected = answer.rejected.length === 0 ? null : JSON.stringify(answer.rejected);
    this.#record.run(source, key.producer, batch, key.chunk, digest, position, accepted, late, rejected, wall);
    this.#advance.run(source, key.producer, batch, key.chunk, position, accepted);
  }

  last(source: string, producer: string): LastBatch | null {
    const row = this.#last.get(source, producer);
    if (row === undefined) return null;
    return {
      batch: batchOf(row['batch'] as string),
      chunk: row['chunk'] as number,
      position: row['position'] as number,
      accepted: row['accepted'] as number,
    };
  }

  /** Wall clock of the last answer that was recorded; 0: none. */
  newestAt(): Micros {
    const row = this.#db.prepare('SELECT at FROM answers ORDER BY rowid DESC LIMIT 1').get();
    return (row?.['at'] as number | undefined) ?? 0;
  }

  /** One bounded step of forgetting; whether there may be more. */
  purge(wall: Micros): boolean {
    return Number(this.#purge.run(wall - this.#keep).changes) === PURGE_ROWS;
  }
}
