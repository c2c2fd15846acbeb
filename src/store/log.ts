/**
 * The log: one total order of all events, in one SQLite file, written by one thread.
 *
 * Synchronous, and without a clock or a thread of its own: {@link StoreThread} runs it in a thread, the simulation
 * runs it in memory.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Micros } from '../clock.ts';
import { HeadraceError } from '../errors.ts';
import type { Source } from '../registry/view.ts';
import { type Column, encodeColumns } from '../wire/columns.ts';
import { AlertTable } from './alert-ring.ts';
import { Answers } from './answers.ts';
import { CodeTables, Coding, distinct } from './coding.ts';
import { openDatabase } from './database.ts';
import { Definitions } from './definitions.ts';
import { digestOf } from './digest.ts';
import { LogClock } from './log-clock.ts';
import type { AddedBatch, Batch, CodedColumn, Commit, CommitGroup, IngestAnswer, SchemaSpec } from './log-row.ts';
import { Merger } from './merge.ts';
import { lateBits, Rows } from './rows.ts';
import { Schemas, schemaOf } from './schemas.ts';
import { type Head, judge, type Verdict } from './sequence.ts';
import type { Defined, LastBatch, LogState, NewRegistry, StoreOptions } from './store.ts';

export type LogOptions = Omit<StoreOptions, 'commitBytesMax'>;

/** Wall time between two looks for batch keys to forget. */
const PURGE_INTERVAL: Micros = 60e6;

interface KnownSource {
  source: Source;
  schema: number;
  spec: SchemaSpec;
}

export class Log {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #closeFile: () => void;
  readonly #shards: number;
  readonly #sources = new Map<string, KnownSource>();
  readonly #schemas: Schemas;
  readonly #tables: CodeTables;
  readonly #rows: Rows;
  readonly #answers: Answers;
  readonly #clock: LogClock;
  readonly #merger: Merger;
  readonly #alerts: AlertTable;
  readonly #definitions: Definitions;
  #head: Head;
  /** Newest wall clock of a batch: what the age of batch keys is measured by. */
  #wall: Micros;
  #purged: Micros = -Infinity;

  /** @throws HeadraceError `store_unavailable` where the file cannot be opened, is newer, or is in use */
  constructor(options: LogOptions) {
    const { db, path, close } = openDatabase(options.folder, options.durability);
    this.#db = db;
    this.#path = path;
    this.#closeFile = close;
    try {
      db.prepare("INSERT OR IGNORE INTO meta VALUES ('shards', ?)").run(String(options.shards));
      this.#shards = Number(db.prepare("SELECT value FROM meta WHERE key = 'shards'").get()!['value']);
      this.#schemas = new Schemas(db);
      this.#tables = new CodeTables(db);
      this.#rows = new Rows(db);
      this.#answers = new Answers(db, options.batchKeyDays);
      this.#alerts = new AlertTable(db, options.alertRing);
      this.#definitions = new Definitions(db);
      for (const source of options.sources) this.ensureSchema(source);
      this.#clock = new LogClock(options.clock, this.#rows, this.#schemas);
      this.#clock.restate(db);
      this.#merger = new Merger(db, this.#rows, this.#schemas, options.clock.mode === 'wall');
      this.#head = this.#readHead();
      this.#wall = this.#answers.newestAt();
    } catch (error) {
      close();
      throw new HeadraceError(
        'store_unavailable',
        `The log ${path} cannot be read (${(error as Error).message}); is the file damaged or the disk full?`,
        { cause: error },
      );
    }
  }

  /** Take events of a source from now on. @returns the id of its schema: the same for the same columns */
  ensureSchema(source: Source): number {
    const spec = schemaOf(source);
    const schema = this.#schemas.ensure(spec);
    this.#sources.set(source.name, { source, schema, spec });
    return schema;
  }

  state(): LogState {
    return {
      path: this.#path,
      position: this.#head.position,
      clock: this.#head.clock,
      shards: this.#shards,
      dictionaries: this.#tables.all(),
      schemas: this.#schemas.all(),
      newest: Object.fromEntries(this.#head.newest),
      alerts: this.#alerts.all(),
      definitions: this.#definitions.all(),
    };
  }

  /**
   * Writes down what a new registry needs in the log, all or nothing: its definitions, which hold from the head on, and
   * the schemas of its sources. Events are still taken as before, until {@link use}.
   *
   * @throws HeadraceError `store_unavailable`, and then nothing has changed
   */
  define({ sources, definitions }: NewRegistry): Defined {
    const { position } = this.#head;
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      for (const source of sources) this.#schemas.ensure(schemaOf(source));
      for (const definition of definitions) this.#definitions.record(definition, position);
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#schemas.read();
      throw new HeadraceError(
        'store_unavailable',
        `The registry could not be written to the log (${(error as Error).message}); the one before serves on, try again later.`,
        { cause: error },
      );
    }
    return { position, schemas: this.#schemas.all() };
  }

  /** From now on takes events of these sources and of no others. Their schemas are {@link define}d. */
  use(sources: readonly Source[]): void {
    this.#sources.clear();
    for (const source of sources) this.ensureSchema(source);
  }

  /**
   * Writes batches in one transaction, in order. Never throws: where the log cannot be written all of them are
   * answered so, and nothing has changed.
   */
  commit(batches: readonly Batch[]): CommitGroup {
    const started = performance.now();
    const before = this.#head;
    this.#head = { ...before, newest: new Map(before.newest) };
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      const commits = batches.map((batch) => this.#take(batch));
      const dictionaries = this.#tables.write();
      this.#db.exec('COMMIT');
      this.#tables.settle();
      return { commits, dictionaries, position: this.#head.position, commit_ms: performance.now() - started };
    } catch (error) {
      this.#head = before;
      this.#tables.rollback();
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      return unwritten(batches, before.position, error as Error, performance.now() - started);
    }
  }

  /**
   * One bounded step of upkeep: merging small rows, forgetting old batch keys.
   *
   * @returns whether there may be more to do
   */
  merge(): boolean {
    if (this.#merger.step(this.#head.position)) return true;
    if (this.#wall - this.#purged < PURGE_INTERVAL) return false;
    if (this.#answers.purge(this.#wall)) return true;
    this.#purged = this.#wall;
    return false;
  }

  /** The engine's clock right after the event at a position; 0 before the first. */
  clockAt(position: number): Micros {
    if (!Number.isInteger(position) || position < 0 || position > this.#head.position) {
      throw new HeadraceError(
        'unknown_position',
        `The position ${position} is not in the log, which reaches from 0 to ${this.#head.position}.`,
      );
    }
    return this.#clock.at(position);
  }

  lastBatch(source: string, producer: string): LastBatch | null {
    return this.#answers.last(source, producer);
  }

  appendAlerts(bodies: string[]): number {
    return this.#alerts.append(bodies);
  }

  close(): void {
    this.#closeFile();
  }

  #readHead(): Head {
    const newest = new Map<string, Micros>();
    for (const row of this.#rows.newest()) {
      const { source } = this.#schemas.get(row.schema);
      newest.set(source, Math.max(newest.get(source) ?? -Infinity, row.newest));
    }
    const position = this.#rows.head();
    return { position, clock: this.#clock.at(position), newest };
  }

  /** Refuses a batch without a trace where it is wrong; any other failure ends the transaction. */
  #take(batch: Batch): Commit {
    try {
      return this.#sequence(batch);
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error;
      return { id: batch.id, answer: null, error: { code: error.code, message: error.message }, added: null };
    }
  }

  #sequence(batch: Batch): Commit {
    const known = this.#sources.get(batch.source);
    if (known === undefined) throw new HeadraceError('unknown_source', `The log has no source ${batch.source}.`);
    const codings = this.#codings(batch, known.spec);
    if (batch.wall > this.#wall) this.#wall = batch.wall;

    let digest: Uint8Array | null = null;
    if (batch.key !== null) {
      digest = digestOf(batch, [...codings.values()]);
      const earlier = this.#answers.find(batch.source, batch.key, this.#wall);
      if (earlier !== null) return retried(batch, earlier, digest);
    }

    const verdict = judge(batch, known.source, this.#clock.mode, this.#head);
    const added = verdict.accepted === 0 ? null : this.#write(batch, known, codings, verdict);
    const answer: IngestAnswer = {
      position: this.#head.position,
      accepted: verdict.accepted,
      late: verdict.late.length,
      duplicate: 0,
      rejected: verdict.rejected,
    };
    if (batch.key !== null) this.#answers.record(batch.source, batch.key, digest!, answer, this.#wall);
    return { id: batch.id, answer, error: null, added };
  }

  /** The coded columns of a batch, by column of the schema. */
  #codings(batch: Batch, spec: SchemaSpec): Map<number, Coding> {
    const codings = new Map<number, Coding>();
    const columns = [batch.timestamps, ...batch.keys, ...batch.fields];
    const sound = columns.length === spec.columns.length && batch.keys.every((key) => !(key instanceof Float64Array));
    for (const [i, { dtype, dictionary }] of spec.columns.entries()) {
      const column = columns[i];
      const length = column instanceof Float64Array ? column.length : column?.codes.length;
      if (!sound || length !== batch.n || (dtype === 'i4') === column instanceof Float64Array) {
        throw new HeadraceError('internal', `A batch of ${batch.n} events of ${batch.source} does not fit its schema.`);
      }
      if (dictionary !== undefined) codings.set(i, new Coding(column as CodedColumn, this.#tables.get(dictionary)));
    }
    return codings;
  }

  #write(batch: Batch, { schema, spec }: KnownSource, codings: Map<number, Coding>, verdict: Verdict): AddedBatch {
    const { kept, late, accepted: n, clock } = verdict;
    const numbers = [batch.timestamps, ...batch.keys, ...batch.fields];
    const columns: Column[] = [];
    const touched: AddedBatch['touched'] = [];
    for (const [i, { name, dtype }] of spec.columns.entries()) {
      if (dtype === 'i4') {
        const coding = codings.get(i)!;
        const values = coding.resolve(kept);
        columns.push({ dtype, values });
        if (i > batch.keys.length) continue;
        const codes = distinct(without(values, late), coding.table.values.length).values;
        touched.push({ entity: name.slice(1), codes });
      } else {
        const values = numbers[i] as Float64Array<ArrayBuffer>;
        columns.push({ dtype, values: kept === null ? values : Float64Array.from(kept, (row) => values[row]!) });
      }
    }
    const block = encodeColumns(columns);
    const head = this.#head;
    const position = head.position + n;
    this.#rows.insert({
      position,
      first: head.position + 1,
      schema,
      n,
      ts_min: verdict.oldest,
      ts_max: verdict.newest,
      clock,
      late: lateBits(late, n),
      columns: block,
      positions: null,
      clocks: null,
    });
    head.position = position;
    head.clock = clock;
    head.newest.set(batch.source, Math.max(head.newest.get(batch.source) ?? -Infinity, verdict.newest));
    return {
      source: batch.source,
      schema,
      n,
      position,
      clock,
      newest: verdict.newest,
      columns: block.buffer,
      late: late.length === 0 ? null : late,
      touched,
    };
  }
}

function retried(batch: Batch, earlier: { digest: Uint8Array; answer: IngestAnswer }, digest: Uint8Array): Commit {
  if (Buffer.compare(earlier.digest, digest) === 0) {
    return { id: batch.id, answer: earlier.answer, error: null, added: null };
  }
  const { producer, batch: name, chunk } = batch.key!;
  throw new HeadraceError(
    'batch_conflict',
    `Producer ${producer} has sent other events of ${batch.source} as batch ${JSON.stringify(name)}, chunk ${chunk}; give new events a new batch.`,
  );
}

function unwritten(batches: readonly Batch[], position: number, cause: Error, ms: number): CommitGroup {
  const error = {
    code: 'store_unavailable' as const,
    message: `The log could not be written (${cause.message}); nothing of this batch was taken, send it again later.`,
  };
  const commits = batches.map(({ id }) => ({ id, answer: null, error, added: null }));
  return { commits, dictionaries: [], position, commit_ms: ms };
}

/** @param dropped ascending indexes */
function without(values: Int32Array<ArrayBuffer>, dropped: readonly number[]): Int32Array<ArrayBuffer> {
  if (dropped.length === 0) return values;
  let next = 0;
  return values.filter((_, i) => {
    if (i !== dropped[next]) return true;
    next++;
    return false;
  });
}
