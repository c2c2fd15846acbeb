import type { Sink } from './sink.ts';

/** Connections written to in one go: a thousand cost the main thread 4 to 5 ms, in which nothing else would be answered. */
const SLICE = 200;

interface Connected {
  sink: Sink;
}

/** Writes out what the turn has queued, a few connections at a time. */
export class Flusher {
  readonly #ready = new Set<Connected>();
  readonly #defer: (callback: () => void) => void;
  #deferred = false;

  /** @param defer runs a callback soon, after input and output that is ready */
  constructor(defer: (callback: () => void) => void) {
    this.#defer = defer;
  }

  add(subscriber: Connected): void {
    this.#ready.add(subscriber);
  }

  remove(subscriber: Connected): void {
    this.#ready.delete(subscriber);
  }

  flush(): void {
    if (this.#deferred) return;
    let written = 0;
    for (const subscriber of this.#ready) {
      if (written === SLICE) {
        this.#deferred = true;
        this.#defer(() => {
          this.#deferred = false;
          this.flush();
        });
        return;
      }
      written++;
      this.#ready.delete(subscriber);
      subscriber.sink.flush();
    }
  }
}
