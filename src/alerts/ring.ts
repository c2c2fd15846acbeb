import type { AlertEvent } from './alert.ts';

/** The newest alert events, oldest first, without gaps in their offsets. */
export class AlertRing {
  readonly #max: number;
  #events: AlertEvent[];
  #offset: number;

  /** @param past events kept by the store, oldest first; @param offset of the newest event ever, 0 where there was none */
  constructor(max: number, past: AlertEvent[], offset: number) {
    this.#max = max;
    this.#events = past.slice(-max);
    this.#offset = offset;
  }

  /** Of the newest event. */
  get offset(): number {
    return this.#offset;
  }

  get events(): readonly AlertEvent[] {
    return this.#events;
  }

  add(event: AlertEvent): void {
    this.#events.push(event);
    this.#offset = event.offset;
    if (this.#events.length > this.#max) this.#events.shift();
  }

  /** All events after this offset; null where one of them is gone, or the offset was never given. */
  after(offset: number): AlertEvent[] | null {
    const missed = this.#offset - offset;
    if (missed < 0 || missed > this.#events.length) return null;
    return this.#events.slice(this.#events.length - missed);
  }
}
