/** The store without a thread: for the simulation, where every turn is the scheduler's choice. */
import { Desk } from './desk.ts';
import { Log } from './log.ts';
import type { LogReply, LogRequest } from './messages.ts';
import type { LogState, StoreEvents, StoreOptions } from './store.ts';
import { takeTurn, takeUpkeep } from './turn.ts';

export class LocalStore extends Desk {
  readonly #log: Log;
  readonly #commitBytesMax: number;
  readonly #schedule: (turn: () => void) => void;
  readonly #waiting: LogRequest[] = [];
  #scheduled = false;

  /** @param schedule runs a turn of the log later, never at once */
  static open(
    options: StoreOptions & { schedule: (turn: () => void) => void },
    events: StoreEvents,
  ): { store: LocalStore; state: LogState } {
    const log = new Log(options);
    const state = log.state();
    return { store: new LocalStore(log, options, events, state.position), state };
  }

  private constructor(
    log: Log,
    options: { commitBytesMax: number; schedule: (turn: () => void) => void },
    events: StoreEvents,
    position: number,
  ) {
    super(events, position);
    this.#log = log;
    this.#commitBytesMax = options.commitBytesMax;
    this.#schedule = options.schedule;
  }

  protected override post(request: LogRequest, transfer: ArrayBuffer[]): void {
    // As between threads: the sender's arrays are empty from now on.
    this.#waiting.push(structuredClone(request, { transfer }));
    this.#wake();
  }

  protected override async ended(): Promise<void> {}

  #wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      if (this.#turn()) this.#wake();
    });
  }

  /** @returns whether there may be more to do */
  #turn(): boolean {
    const reply = (message: LogReply) => this.receive(message);
    const first = this.#waiting.shift();
    if (first === undefined) return takeUpkeep(this.#log, reply);
    return takeTurn(this.#log, first, () => this.#waiting.shift(), this.#commitBytesMax, reply);
  }
}
