import cliProgress from 'cli-progress';
import type { Timers } from '../clock.ts';
import type { Terminal } from './terminal.ts';

/** Between two lines where there is no screen to redraw. */
const LINE_MS = 5000;

/** How far a long work is: a bar with rate and time left on a terminal, else a line every few seconds. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #timers: Pick<Timers, 'monotonicMs'>;
  readonly #total: number;
  readonly #first: number;
  readonly #startMs: number;
  readonly #bar: cliProgress.SingleBar | null;
  #lineMs: number;

  /**
   * @param done how much was there before, which does not count into the rate
   * @param screen where a bar can be drawn; null: none
   */
  constructor(
    terminal: Terminal,
    timers: Pick<Timers, 'monotonicMs'>,
    screen: NodeJS.WritableStream | null,
    total: number,
    done: number,
  ) {
    this.#terminal = terminal;
    this.#timers = timers;
    this.#total = total;
    this.#first = done;
    this.#startMs = timers.monotonicMs();
    this.#lineMs = this.#startMs;
    this.#bar = null;
    if (screen === null) return;
    this.#bar = new cliProgress.SingleBar(
      { format: '[{bar}] {value} of {total} events, {rate}/s, {left} left', hideCursor: true, stream: screen },
      cliProgress.Presets.legacy,
    );
    this.#bar.start(total, done, { rate: 0, left: '?' });
  }

  update(done: number): void {
    const nowMs = this.#timers.monotonicMs();
    const rate = (done - this.#first) / Math.max(1, nowMs - this.#startMs);
    const told = { rate: Math.round(rate * 1000), left: rate > 0 ? span((this.#total - done) / rate) : '?' };
    if (this.#bar !== null) {
      // An estimated total may turn out too small.
      if (done > this.#total) this.#bar.setTotal(done);
      this.#bar.update(done, told);
    } else if (nowMs - this.#lineMs >= LINE_MS) {
      this.#lineMs = nowMs;
      this.#terminal.err(`${done} of ${this.#total} events, ${told.rate}/s, ${told.left} left\n`);
    }
  }

  stop(): void {
    this.#bar?.stop();
  }
}

/** A duration as a person reads it. */
function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
