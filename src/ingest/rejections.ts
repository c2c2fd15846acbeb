import type { ErrorCode } from '../errors.ts';
import type { Rejection } from '../store/log-row.ts';

/** Why a value cannot be taken. */
export interface Problem {
  code: ErrorCode;
  message: string;
}

/** The events of one request that are not taken; of each event the first problem counts. */
export class Rejections {
  readonly #byIndex = new Map<number, Rejection>();

  get count(): number {
    return this.#byIndex.size;
  }

  has(index: number): boolean {
    return this.#byIndex.has(index);
  }

  add(index: number, code: ErrorCode, message: string): void {
    if (!this.#byIndex.has(index)) this.#byIndex.set(index, { index, code, message });
  }

  /** In the order of the request. */
  list(): Rejection[] {
    return [...this.#byIndex.values()].sort((a, b) => a.index - b.index);
  }

  /** Indexes of the events that are taken; null where all are. */
  kept(n: number): Int32Array<ArrayBuffer> | null {
    if (this.#byIndex.size === 0) return null;
    const kept = new Int32Array(n - this.#byIndex.size);
    let next = 0;
    for (let i = 0; i < n; i++) if (!this.#byIndex.has(i)) kept[next++] = i;
    return kept;
  }
}
