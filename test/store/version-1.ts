/** A log as the first version of the file has it: the statements of that program, with one event in it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { encodeColumns } from '../../src/wire/columns.ts';
import { T0 } from './material.ts';

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

const SPEC = {
  source: 'departures',
  columns: [
    { name: '@timestamp', dtype: 'i8' },
    { name: '@airport', dtype: 'i4', dictionary: '@airport' },
    { name: 'delay', dtype: 'f8' },
    { name: 'carrier', dtype: 'i4', dictionary: 'departures.carrier' },
  ],
};

/** One departure from ORD at T0, half an hour late. */
export function writeVersion1(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const db = new DatabaseSync(join(folder, 'log.db'));
  db.exec(`PRAGMA journal_mode = WAL; BEGIN; ${TABLES} PRAGMA user_version = 1; COMMIT;`);
  db.prepare("INSERT INTO meta VALUES ('shards', '4'), ('clock', ?)").run('{"mode":"event","sources":null}');
  db.prepare('INSERT INTO schemas VALUES (1, ?)').run(JSON.stringify(SPEC));
  db.prepare("INSERT INTO dictionary VALUES ('@airport', 0, 'ORD'), ('departures.carrier', 0, 'UA')").run();
  const columns = encodeColumns([
    { dtype: 'i8', values: Float64Array.of(T0) },
    { dtype: 'i4', values: Int32Array.of(0) },
    { dtype: 'f8', values: Float64Array.of(30) },
    { dtype: 'i4', values: Int32Array.of(0) },
  ]);
  db.prepare('INSERT INTO log VALUES (1, 1, 1, 1, ?, ?, ?, NULL, ?, NULL, NULL)').run(T0, T0, T0, columns);
  db.close();
}
