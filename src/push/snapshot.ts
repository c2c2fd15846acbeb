import type { ErrorBody } from '../errors.ts';
import type { Collector, RowState } from '../serve/query.ts';
import { REVISION, type Row } from '../values/row.ts';

/** Passes the rows of a snapshot on, except those that the client still holds, and remembers their revisions. */
export class Snapshot implements Collector {
  /** By index; −1 where there was no row. */
  readonly revisions: Float64Array;
  readonly #entityIds: readonly string[];
  readonly #inner: Collector;
  readonly #held: Readonly<Record<string, number>> | null;

  /** @param held by entity id, the revisions that the client has of this engine's rows; null: none */
  constructor(entityIds: readonly string[], inner: Collector, held: Readonly<Record<string, number>> | null) {
    this.#entityIds = entityIds;
    this.#inner = inner;
    this.#held = held;
    this.revisions = new Float64Array(entityIds.length).fill(-1);
  }

  row(index: number, row: Row, state: RowState): void {
    const revision = row.slab[row.base + REVISION]!;
    this.revisions[index] = revision;
    const entityId = this.#entityIds[index]!;
    const held = this.#held !== null && Object.hasOwn(this.#held, entityId) ? this.#held[entityId]! : -1;
    if (revision > held) this.#inner.row(index, row, state);
  }

  failed(index: number, error: ErrorBody): void {
    this.#inner.failed(index, error);
  }
}
