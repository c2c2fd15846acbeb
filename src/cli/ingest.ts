/** `headrace ingest`: the events of a file into a running engine, over HTTP. */
import { type RecordBatch, RecordBatchStreamWriter } from 'apache-arrow';
import { type Micros, systemTimers } from '../clock.ts';
import { fileIdentity } from '../ingest/file-identity.ts';
import { columnsOf } from '../ingest/source-columns.ts';
import { TableReader } from '../ingest/table-reader.ts';
import { findPython } from '../python.ts';
import type { EventsAnswer } from '../wire/bodies.ts';
import { parseTime } from '../wire/time.ts';
import { call, EngineError, fetchLastBatch, fetchSource, httpOrigin } from './engine-client.ts';
import { Progress } from './progress.ts';
import type { Terminal } from './terminal.ts';

export interface IngestOptions {
  url: string;
  source: string;
  /** Who the events are from; left out: a name made of the file's content. */
  producer?: string;
  /** Only events later than this. */
  after?: string;
  /** Only events up to and including this. */
  until?: string;
  /** The interpreter that reads the file; left out: as for the engine. */
  python?: string;
}

/** Rows of one request: a part of a second's work, so that an interrupt loses little. */
const BATCH_ROWS = 32_768;
const ARROW_TYPE = 'application/vnd.apache.arrow.stream';
const REASONS_MAX = 10;
const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 5000;
/** How long one request is tried again before the command gives up. */
const GIVE_UP_MS = 60_000;

const DONE = 0;
const FAILED = 1;
const SOME_REJECTED = 3;
const INTERRUPTED = 130;

/**
 * Sends the file in batches, one after the other, each under a key of its own: what the engine has already is not sent
 * again, and a batch whose answer was lost counts once.
 *
 * @param signal aborted when the command shall end
 * @returns the exit status: 0 all events were taken, 1 the file or the engine failed, 3 some events were rejected, 130
 * interrupted
 */
export async function ingestCommand(
  file: string,
  options: IngestOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const sending = new Sending(file, options, terminal, signal);
  try {
    await sending.run();
    return sending.summary();
  } catch (error) {
    if (signal.aborted) {
      terminal.err(`headrace ingest: stopped. ${sending.howToGoOn()}\n`);
      return INTERRUPTED;
    }
    terminal.err(`headrace ingest: ${(error as Error).message}\n`);
    if (sending.started) terminal.err(`${sending.howToGoOn()}\n`);
    return FAILED;
  }
}

class Sending {
  readonly #file: string;
  readonly #options: IngestOptions;
  readonly #terminal: Terminal;
  readonly #signal: AbortSignal;
  readonly #startMs = systemTimers.monotonicMs();
  readonly #total = { skipped: 0, accepted: 0, late: 0, duplicate: 0, rejected: 0 };
  readonly #reasons: string[] = [];
  /** Whether a batch was answered. */
  started = false;

  constructor(file: string, options: IngestOptions, terminal: Terminal, signal: AbortSignal) {
    this.#file = file;
    this.#options = options;
    this.#terminal = terminal;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { url, source: name, python = '' } = this.#options;
    const after = timeOf(this.#options.after);
    const until = timeOf(this.#options.until);
    const origin = httpOrigin(url);
    const source = await fetchSource(origin, name, this.#signal);
    const producer = this.#options.producer ?? `file-${await fileIdentity(this.#file, [after, until, BATCH_ROWS])}`;
    const last = await fetchLastBatch(origin, producer, name, this.#signal);
    let batch = last === null ? 0 : nextBatch(last.batch, producer);
    const skip = batch * BATCH_ROWS;
    const reader = await TableReader.open({
      file: this.#file,
      columns: columnsOf(source),
      timestamp: source.timestamp,
      after,
      until,
      skip,
      batchRows: BATCH_ROWS,
      python: findPython(python),
    });
    const stop = (): void => reader.close();
    this.#signal.addEventListener('abort', stop);
    this.#total.skipped = Math.min(skip, reader.rows);
    let rows = this.#total.skipped;
    const progress = new Progress(this.#terminal, systemTimers, this.#screen(), reader.rows, rows);
    try {
      for await (const events of reader.batches()) {
        const answer = await this.#send(
          new URL(`/events/${encodeURIComponent(name)}`, origin),
          producer,
          batch,
          events,
        );
        this.#count(answer, rows);
        batch++;
        rows += events.numRows;
        progress.update(rows);
      }
      this.#signal.throwIfAborted();
    } finally {
      progress.stop();
      this.#signal.removeEventListener('abort', stop);
      reader.close();
    }
  }

  /** One batch, until it is answered; what is temporary is tried again with growing pauses. */
  async #send(url: URL, producer: string, batch: number, events: RecordBatch): Promise<EventsAnswer> {
    const body = RecordBatchStreamWriter.writeAll([events]).toUint8Array(true);
    const headers = { 'content-type': ARROW_TYPE, 'idempotency-key': String(batch), 'x-producer': producer };
    const giveUpMs = systemTimers.monotonicMs() + GIVE_UP_MS;
    for (let pauseMs = RETRY_MS_FIRST; ; pauseMs = Math.min(2 * pauseMs, RETRY_MS_MAX)) {
      try {
        return await call<EventsAnswer>(url, { method: 'POST', headers, body, signal: this.#signal });
      } catch (error) {
        if (!(error instanceof EngineError) || !error.temporary) throw error;
        if (systemTimers.monotonicMs() > giveUpMs) throw error;
        await pause(error.retryAfterMs ?? pauseMs, this.#signal);
      }
    }
  }

  #count(answer: EventsAnswer, base: number): void {
    this.started = true;
    this.#total.accepted += answer.accepted;
    this.#total.late += answer.late;
    this.#total.duplicate += answer.duplicate;
    this.#total.rejected += answer.rejected_count;
    for (const { index, code, message } of answer.rejected.slice(0, REASONS_MAX - this.#reasons.length)) {
      this.#reasons.push(`  row ${base + index}: ${message} [${code}]`);
    }
  }

  summary(): number {
    const { skipped, accepted, late, duplicate, rejected } = this.#total;
    const seconds = (systemTimers.monotonicMs() - this.#startMs) / 1000;
    this.#terminal.out(
      `${this.#file}: ${accepted} events taken in ${seconds.toFixed(1)} s, ${late} of them late; ` +
        `${skipped + duplicate} were there before; ${rejected} rejected\n`,
    );
    for (const reason of this.#reasons) this.#terminal.err(`${reason}\n`);
    if (rejected > this.#reasons.length) this.#terminal.err(`  and ${rejected - this.#reasons.length} more\n`);
    return rejected === 0 ? DONE : SOME_REJECTED;
  }

  howToGoOn(): string {
    const taken = this.#total.skipped + this.#total.accepted + this.#total.duplicate;
    return `${taken} events are in the log; run the same command again to go on, nothing is counted twice.`;
  }

  #screen(): NodeJS.WritableStream | null {
    return this.#terminal.interactive && process.stderr.isTTY === true ? process.stderr : null;
  }
}

function timeOf(text: string | undefined): Micros | null {
  if (text === undefined) return null;
  return parseTime(/^\d{9,}(\.\d+)?$/.test(text) ? Number(text) : text);
}

function nextBatch(last: string | number, producer: string): number {
  const batch = Number(last);
  if (Number.isSafeInteger(batch) && batch >= 0) return batch + 1;
  throw new EngineError(
    `producer '${producer}' last brought batch '${last}', which is none of this command's; name another --producer`,
    false,
  );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', ended);
      resolve();
    }, ms);
    signal.addEventListener('abort', ended, { once: true });
    if (signal.aborted) ended();
  });
}
