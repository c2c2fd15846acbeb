/** The SQLite file: opening it, its tables, its version, and the lock that keeps a second engine out. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HeadraceError } from '../errors.ts';
import type { Durability } from './store.ts';

/** `PRAGMA user_version` of the files that this program writes. */
export const LOG_VERSION = 2;

/** Pages of the WAL after which a commit writes them back, and the bytes to which the file is then cut. */
const WAL_PAGES = 4000;
const WAL_BYTES = 64 * 1024 * 1024;
/** Readers never block the writer in WAL mode; only a checkpoint or a foreign tool can. */
const BUSY_MS = 1000;
/** An engine that was told to stop may still be on its way out. */
const LOCK_MS = 500;

/** BLOBs stand last, so that a scan of the small columns does not follow their overflow pages. */
const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE schemas (id INTEGER PRIMARY KEY, spec TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE dictionary (
    name TEXT NOT NULL, code INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name, code)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE log (
    position INTEGER PRIMARY KEY, first INTEGER NOT NULL, schema INTEGER NOT NULL, n INTEGER NOT NULL,
    ts_min INTEGER NOT NULL, ts_max INTEGER NOT NULL, clock INTEGER NOT NULL,
    late BLOB, columns BLOB NOT NULL, positions BLOB, clocks BLOB
  ) STRICT;
  CREATE TABLE answers (
    source TEXT NOT NULL, producer TEXT NOT NULL, batch TEXT NOT NULL, chunk INTEGER NOT NULL, digest BLOB NOT NULL,
    position INTEGER NOT NULL, accepted INTEGER NOT NULL, late INTEGER NOT NULL, rejected TEXT, at INTEGER NOT NULL,
    PRIMARY KEY (source, producer, batch, chunk)
  ) STRICT;
  CREATE TABLE producers (
    source TEXT NOT NULL, producer TEXT NOT NULL, batch TEXT NOT NULL, chunk INTEGER NOT NULL,
    position INTEGER NOT NULL, accepted INTEGER NOT NULL, PRIMARY KEY (source, producer)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE alerts ("offset" INTEGER PRIMARY KEY, epoch TEXT NOT NULL, body TEXT NOT NULL) STRICT;
`;

/** What each version added to the tables of the one before, by the version that it makes of it. */
const MIGRATIONS: Record<number, string> = {
  2: `
    CREATE TABLE definitions (
      view TEXT NOT NULL, version TEXT NOT NULL, position INTEGER NOT NULL, hash TEXT NOT NULL, plan TEXT NOT NULL,
      PRIMARY KEY (view, version, position)
    ) STRICT, WITHOUT ROWID;
  `,
};

const unavailable = (message: string, cause?: unknown) => new HeadraceError('store_unavailable', message, { cause });

export interface Opened {
  db: DatabaseSync;
  path: string;
  /** Closes the file and lets another engine in. */
  close(): void;
}

/** @param folder of `log.db`; `:memory:` keeps all in memory */
export function openDatabase(folder: string, durability: Durability): Opened {
  if (folder === ':memory:') {
    const db = new DatabaseSync(':memory:');
    prepare(db, folder);
    return { db, path: folder, close: () => db.close() };
  }
  const path = join(folder, 'log.db');
  let lock: DatabaseSync | undefined;
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    lock = lockFolder(folder);
    db = new DatabaseSync(path, { timeout: BUSY_MS });
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'};
      PRAGMA wal_autocheckpoint = ${WAL_PAGES};
      PRAGMA journal_size_limit = ${WAL_BYTES};
    `);
    prepare(db, path);
  } catch (error) {
    db?.close();
    lock?.close();
    if (error instanceof HeadraceError) throw error;
    throw unavailable(
      `The log ${path} cannot be opened (${(error as Error).message}); check that the folder can be written and has room.`,
      error,
    );
  }
  const opened = { db, lock };
  const close = () => {
    opened.db.close();
    opened.lock.close();
  };
  return { db, path, close };
}

/** The operating system lets go of this lock when the process ends, however it ends. */
function lockFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, 'lock.db'), { timeout: LOCK_MS });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw unavailable(
      `The data folder ${folder} is in use by another engine (${(error as Error).message}); stop that one or name another folder.`,
      error,
    );
  }
}

function prepare(db: DatabaseSync, path: string): void {
  const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
  if (version > LOG_VERSION) {
    throw unavailable(
      `The log ${path} has version ${version}, this program knows versions up to ${LOG_VERSION}; start the newer Headrace that wrote it.`,
    );
  }
  if (version === LOG_VERSION) return;
  if (version === 0 && db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() !== undefined) {
    throw unavailable(`${path} is an SQLite file but no log of Headrace; name another folder.`);
  }
  // An empty file becomes one of version 1 and then goes the way of all others: there is one way to have a table.
  const steps = version === 0 ? [TABLES] : [];
  for (let to = Math.max(version, 1) + 1; to <= LOG_VERSION; to++) steps.push(MIGRATIONS[to]!);
  db.exec(`BEGIN IMMEDIATE; ${steps.join('')} PRAGMA user_version = ${LOG_VERSION}; COMMIT;`);
}
