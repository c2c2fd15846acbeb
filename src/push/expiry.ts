import type { Micros } from '../clock.ts';

/** What an {@link Expiry} holds; the two fields are the heap's own. */
export interface Timed {
  dueAt: Micros;
  /** Place in the heap; −1 outside. */
  heapIndex: number;
}

/** What is due next, as a binary heap over engine time. */
export class Expiry<Item extends Timed> {
  readonly #heap: Item[] = [];

  /** Time of the next item; NaN where there is none. */
  get next(): Micros {
    return this.#heap[0]?.dueAt ?? Number.NaN;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** @param at NaN: never */
  set(item: Item, at: Micros): void {
    this.remove(item);
    if (Number.isNaN(at)) return;
    item.dueAt = at;
    this.#heap.push(item);
    this.#up(item, this.#heap.length - 1);
  }

  remove(item: Item): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last === item) return;
    this.#up(last, index);
    this.#down(last, last.heapIndex);
  }

  /** Takes the next item out if it is due. */
  take(now: Micros): Item | undefined {
    const item = this.#heap[0];
    if (item === undefined || item.dueAt > now) return undefined;
    this.remove(item);
    return item;
  }

  #up(item: Item, from: number): void {
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#heap[above]!;
      if (parent.dueAt <= item.dueAt) break;
      this.#put(parent, index);
      index = above;
    }
    this.#put(item, index);
  }

  #down(item: Item, from: number): void {
    let index = from;
    for (;;) {
      let below = index * 2 + 1;
      if (below >= this.#heap.length) break;
      if (below + 1 < this.#heap.length && this.#heap[below + 1]!.dueAt < this.#heap[below]!.dueAt) below++;
      const child = this.#heap[below]!;
      if (child.dueAt >= item.dueAt) break;
      this.#put(child, index);
      index = below;
    }
    this.#put(item, index);
  }

  #put(item: Item, index: number): void {
    this.#heap[index] = item;
    item.heapIndex = index;
  }
}
