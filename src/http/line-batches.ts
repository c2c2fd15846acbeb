/**
 * Cuts a stream of NDJSON into batches of events.
 *
 * With a batch key the cuts depend on the lines alone, never on how the network split them, so that a retry makes the
 * same chunks. Without one, what has come is passed on with each piece, so that a slow stream is not held back.
 */
import { isUtf8 } from 'node:buffer';
import { HeadraceError } from '../errors.ts';
import type { Rejection } from '../store/log-row.ts';

export interface EventBatch<Events> {
  events: Events;
  n: number;
  /** Index in the whole stream of each event; null: consecutive from `base`. */
  indexes: number[] | null;
  base: number;
  /** Lines that are not JSON, by index in the whole stream. */
  malformed: Rejection[];
}

export interface LineLimits {
  lineBytesMax: number;
  /** A batch is cut when it holds so many events or so many bytes of lines. */
  batchEvents: number;
  batchBytes: number;
}

const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

export class LineBatches {
  readonly #limits: LineLimits;
  readonly #cutAnywhere: boolean;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #events: unknown[] = [];
  #indexes: number[] = [];
  #malformed: Rejection[] = [];
  #bytes = 0;
  #lines = 0;
  #ready: EventBatch<unknown[]>[] = [];

  /** @param cutAnywhere end a batch with each piece of the stream too */
  constructor(limits: LineLimits, cutAnywhere: boolean) {
    this.#limits = limits;
    this.#cutAnywhere = cutAnywhere;
  }

  /** @returns the batches that are complete. Throws `too_large` for a line without end. */
  write(piece: Buffer): EventBatch<unknown[]>[] {
    let from = 0;
    for (;;) {
      const newline = piece.indexOf(NEWLINE, from);
      if (newline < 0) break;
      this.#line(piece.subarray(from, newline));
      from = newline + 1;
    }
    if (from < piece.length) {
      this.#rest.push(piece.subarray(from));
      this.#restBytes += piece.length - from;
      this.#limitLine(this.#restBytes);
    }
    if (this.#cutAnywhere) this.#cut();
    return this.#take();
  }

  /** The last line needs no newline. */
  end(): EventBatch<unknown[]>[] {
    this.#line(EMPTY);
    this.#cut();
    return this.#take();
  }

  #take(): EventBatch<unknown[]>[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  #limitLine(bytes: number): void {
    if (bytes <= this.#limits.lineBytesMax) return;
    throw new HeadraceError(
      'too_large',
      `line ${this.#lines} of the stream is longer than ${this.#limits.lineBytesMax} bytes; one event stands on a line`,
    );
  }

  #line(tail: Buffer): void {
    let line = tail;
    if (this.#restBytes > 0) {
      line = Buffer.concat([...this.#rest, tail]);
      this.#rest = [];
      this.#restBytes = 0;
    }
    this.#limitLine(line.length);
    const text = line.toString().trim();
    if (text === '') return;
    const index = this.#lines++;
    const event = isUtf8(line) ? parse(text) : new Error('it is not UTF-8');
    if (event instanceof Error) {
      this.#malformed.push({ index, code: 'malformed_json', message: `the line is not JSON: ${event.message}` });
    } else {
      this.#events.push(event);
      this.#indexes.push(index);
    }
    this.#bytes += line.length;
    const { batchEvents, batchBytes } = this.#limits;
    if (this.#events.length >= batchEvents || this.#bytes >= batchBytes) this.#cut();
  }

  #cut(): void {
    const n = this.#events.length;
    if (n === 0 && this.#malformed.length === 0) return;
    const base = this.#indexes[0] ?? 0;
    const consecutive = n === 0 || (this.#indexes[n - 1] as number) - base === n - 1;
    this.#ready.push({
      events: this.#events,
      n,
      indexes: consecutive ? null : this.#indexes,
      base,
      malformed: this.#malformed,
    });
    this.#events = [];
    this.#indexes = [];
    this.#malformed = [];
    this.#bytes = 0;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error as Error;
  }
}
