import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type AsyncRecordBatchStreamReader, type RecordBatch, RecordBatchReader } from 'apache-arrow';
import type { Micros } from '../clock.ts';
import { HeadraceError } from '../errors.ts';
import { formatTime } from '../wire/time.ts';

const PYTHON_PATH = fileURLToPath(new URL('../../python', import.meta.url));

export interface TableRequest {
  /** Path of a Parquet, CSV, TSV or NDJSON file. */
  file: string;
  /** The columns to read; those that the file lacks are left out. */
  columns: string[];
  /** The column of the time, for `after` and `until`. */
  timestamp: string;
  /** Only rows later than this; null: from the start. */
  after: Micros | null;
  /** Only rows up to and including this; null: to the end. */
  until: Micros | null;
  /** Leave out this many of the wanted rows. */
  skip: number;
  batchRows: number;
  /** The interpreter. */
  python: string;
}

/** A file as record batches in file order, read by a Python child process (python/headrace/read_table.py). */
export class TableReader {
  /** How many rows are wanted, the skipped ones among them. */
  readonly rows: number;
  /** Whether `rows` was counted; else it is an estimate. */
  readonly exact: boolean;
  readonly #child: Child;
  readonly #reader: AsyncRecordBatchStreamReader;

  private constructor(child: Child, reader: AsyncRecordBatchStreamReader) {
    this.#child = child;
    this.#reader = reader;
    this.rows = Number(reader.schema.metadata.get('headrace.rows'));
    this.exact = reader.schema.metadata.get('headrace.exact') === 'true';
  }

  /** Rejects with the reader's own sentence where the file cannot be read. */
  static async open(request: TableRequest): Promise<TableReader> {
    const child = new Child(request.python, argumentsOf(request));
    try {
      const reader = (await RecordBatchReader.from(child.stdout)) as AsyncRecordBatchStreamReader;
      await reader.open();
      if (reader.schema === undefined) throw new Error('the reader gave nothing');
      return new TableReader(child, reader);
    } catch (error) {
      throw await child.reason(error);
    }
  }

  /** Each batch once. Every batch but the last has `batchRows` rows; none is empty. */
  async *batches(): AsyncGenerator<RecordBatch> {
    try {
      for await (const batch of this.#reader) if (batch.numRows > 0) yield batch;
    } catch (error) {
      throw await this.#child.reason(error);
    } finally {
      this.close();
    }
    await this.#child.succeeded();
  }

  /** Ends the child where it still runs. */
  close(): void {
    this.#child.kill();
  }
}

function argumentsOf(request: TableRequest): string[] {
  const { file, columns, timestamp, after, until, skip, batchRows } = request;
  const flags = ['--columns', JSON.stringify(columns), '--timestamp', timestamp];
  if (after !== null) flags.push('--after', formatTime(after));
  if (until !== null) flags.push('--until', formatTime(until));
  flags.push('--skip', String(skip), '--batch-rows', String(batchRows));
  return ['-m', 'headrace.read_table', ...flags, '--', file];
}

/** The Python process, with what it last said on standard error. */
class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #said = '';
  #failure: Error | null = null;

  constructor(python: string, args: string[]) {
    this.#process = spawn(python, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PYTHONPATH: PYTHON_PATH },
    });
    this.#process.on('error', (error) => {
      this.#failure = new Error(`'${python}' could not be started: ${error.message}`);
    });
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-4096);
    });
    this.#ended = once(this.#process, 'close').then(
      () => undefined,
      () => undefined,
    );
  }

  /** Read by iteration: the library's own reading of Node streams loses what is buffered when they end. */
  get stdout(): AsyncIterable<Buffer> {
    return this.#process.stdout!.iterator({ destroyOnReturn: false });
  }

  kill(): void {
    // What nobody reads any more would keep the process from closing.
    this.#process.stdout!.destroy();
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGTERM');
  }

  /** What the process says of its failure, which is nearer the cause than what its reader found. */
  async reason(found: unknown): Promise<Error> {
    this.kill();
    await this.#ended;
    if (this.#failure !== null) return this.#failure;
    const line = this.#said
      .trim()
      .split('\n')
      .at(-1)!
      .replace(/^headrace: /, '');
    return line === '' ? (found as Error) : new HeadraceError('bad_request', line, { cause: found });
  }

  /** Rejects where the process ended with an error after all it wrote. */
  async succeeded(): Promise<void> {
    await this.#ended;
    if (this.#process.exitCode !== 0 && this.#process.signalCode === null) {
      throw await this.reason(new Error(`the reader of the file ended with status ${this.#process.exitCode}`));
    }
  }
}
