/** `headrace replay`: the events of a file as live ones, over a WebSocket. */
import { type Micros, systemTimers } from '../clock.ts';
import { columnsOf } from '../ingest/source-columns.ts';
import { TableReader } from '../ingest/table-reader.ts';
import { findPython } from '../python.ts';
import { parseTime } from '../wire/time.ts';
import { EngineError, fetchLastBatch, fetchSource, httpOrigin, webSocketAddress } from './engine-client.ts';
import { IngestSocket } from './ingest-socket.ts';
import { ReplayFile } from './replay-file.ts';
import { type ReplayWindow, Schedule } from './replay-schedule.ts';
import type { Terminal } from './terminal.ts';

export interface ReplayOptions {
  url: string;
  source: string;
  /** Only events later than this; the replay's time begins here. */
  after: string;
  /** Only events up to and including this. */
  until: string;
  /** Event time over real time. */
  speed: number;
  loop: boolean;
  producer: string;
  /** The interpreter that reads the file; left out: as for the engine. */
  python?: string;
}

const DONE = 0;
const FAILED = 1;
const BATCH_ROWS = 32_768;

/**
 * Sends each event when it is due, in file order. A batch is named `k:n`: the n events of round k that are sent once it
 * is taken, so that a replay that starts again asks the engine for the last one and goes on right there.
 *
 * @param signal aborted when the command shall end, which it does at once
 * @returns the exit status: 0 all was sent, or it was stopped; 1 the file or the engine failed
 */
export async function replayCommand(
  file: string,
  options: ReplayOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  try {
    await replay(file, options, terminal, signal);
    return DONE;
  } catch (error) {
    if (signal.aborted) return DONE;
    terminal.err(`headrace replay: ${(error as Error).message}\n`);
    return FAILED;
  }
}

async function replay(file: string, options: ReplayOptions, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const window = windowOf(options);
  const { producer } = options;
  const origin = httpOrigin(options.url);
  const source = await fetchSource(origin, options.source, signal);
  const events = await readFile(file, options, source, window, signal);
  if (events.n === 0)
    throw new EngineError(`${file} has no events after ${options.after} up to ${options.until}`, false);

  // Asked last, so that what an earlier replay had under way is in the log by now.
  const last = await fetchLastBatch(origin, producer, source.name, signal);
  const start = placeAfter(last?.batch ?? null, producer, events.n);
  const schedule = new Schedule(events.times, window);
  schedule.begin(start.loop, start.next, systemTimers.monotonicMs());
  if (schedule.done) {
    terminal.out(`All ${events.n} events of ${file} have been sent before; --loop would begin again.\n`);
    return;
  }
  const from = last === null ? '' : `, going on in round ${start.loop} after ${start.next}`;
  terminal.out(`Replaying ${events.n} events of ${file} at ${window.speed} × real time${from}.\n`);

  const note = (text: string): void => terminal.err(`headrace replay: ${text}\n`);
  const socket = new IngestSocket(webSocketAddress(options.url), signal, note);
  try {
    await sendAll(events, schedule, socket, source.name, producer, terminal);
  } finally {
    socket.close();
  }
}

async function sendAll(
  events: ReplayFile,
  schedule: Schedule,
  socket: IngestSocket,
  source: string,
  producer: string,
  terminal: Terminal,
): Promise<void> {
  const total = { accepted: 0, late: 0, rejected: 0 };
  while (!schedule.done) {
    const due = schedule.take(systemTimers.monotonicMs());
    if (typeof due === 'number') {
      await socket.pause(due);
      continue;
    }
    const columns = events.columns(due.from, due.to, schedule.shift(due.loop));
    const answer = await socket.send({ source, columns, producer, batch: `${due.loop}:${due.to}` });
    total.accepted += answer.accepted;
    total.late += answer.late;
    if (answer.rejected.length > 0 && total.rejected === 0) {
      const { code, message } = answer.rejected[0]!;
      terminal.err(`headrace replay: an event was rejected: ${message} [${code}]; further ones are only counted\n`);
    }
    total.rejected += answer.rejected.length;
    if (due.to === events.n) {
      const { accepted, late, rejected } = total;
      terminal.out(`Round ${due.loop} is sent: ${accepted} events taken so far, ${late} late, ${rejected} rejected.\n`);
    }
  }
}

function windowOf({ after, until, speed, loop }: ReplayOptions): ReplayWindow {
  const window = { after: parseTime(after), until: parseTime(until), speed, loop };
  if (window.after >= window.until) {
    throw new EngineError(`--after is ${after}, which is not before --until ${until}`, false);
  }
  if (Number.isFinite(speed) && speed > 0) return window;
  throw new EngineError(`--speed is ${speed}; it takes a number above 0, and 1 is real time`, false);
}

async function readFile(
  file: string,
  { python = '' }: ReplayOptions,
  source: Parameters<typeof ReplayFile.read>[1],
  { after, until }: { after: Micros; until: Micros },
  signal: AbortSignal,
): Promise<ReplayFile> {
  const reader = await TableReader.open({
    file,
    columns: columnsOf(source),
    timestamp: source.timestamp,
    after,
    until,
    skip: 0,
    batchRows: BATCH_ROWS,
    python: findPython(python),
  });
  const stop = (): void => reader.close();
  signal.addEventListener('abort', stop);
  try {
    return await ReplayFile.read(reader.batches(), source, after);
  } finally {
    signal.removeEventListener('abort', stop);
    reader.close();
  }
}

/** Where to go on after the batch that was taken last. */
function placeAfter(last: string | number | null, producer: string, n: number): { loop: number; next: number } {
  if (last === null) return { loop: 0, next: 0 };
  const match = /^(\d+):(\d+)$/.exec(String(last));
  const next = Number(match?.[2]);
  if (match !== null && next <= n) return { loop: Number(match[1]), next };
  throw new EngineError(
    `producer '${producer}' last brought batch '${last}', which is none of a replay of these ${n} events; name another --producer`,
    false,
  );
}
