import type { ErrorBody } from '../errors.ts';
import { ownPlaces, type RowSpec } from '../values/json.ts';
import { ROW_HEADER, type Row } from '../values/row.ts';
import type { RowState } from './query.ts';
import { KINDS, type ReplyColumns } from './reply-columns.ts';
import type { ReplyCollector } from './text-collector.ts';

const FAILED = KINDS.indexOf('failed');

/** Copies numbers as they come and lets a thread make the text: the main thread does no more than that copy. */
export class BlockCollector implements ReplyCollector {
  failure: ErrorBody | null = null;
  state: RowState = 'computed';
  readonly #places: readonly number[];
  readonly #columns: ReplyColumns;
  readonly #makeText: (columns: ReplyColumns) => Promise<Buffer>;

  constructor(entityIds: readonly string[], spec: RowSpec, makeText: (columns: ReplyColumns) => Promise<Buffer>) {
    const n = entityIds.length;
    const places = spec.requestTime === null ? spec.places : [...spec.places, spec.requestTime];
    const width = places.length;
    const ends = new Int32Array(n);
    for (let i = 0, end = 0; i < n; i++) {
      end += entityIds[i]!.length;
      ends[i] = end;
    }
    this.#places = places;
    this.#makeText = makeText;
    this.#columns = {
      spec: ownPlaces(spec),
      ids: entityIds.join(''),
      ends,
      kinds: new Uint8Array(n),
      numbers: new Float64Array(n * (ROW_HEADER + width)),
      strings: spec.outputs.includes('string') ? new Array<string | null>(n * width).fill(null) : null,
      errors: new Map(),
    };
  }

  row(index: number, { slab, base, strings }: Row, state: RowState): void {
    this.state = state;
    const { kinds, numbers, strings: texts } = this.#columns;
    const places = this.#places;
    const to = index * (ROW_HEADER + places.length);
    for (let k = 0; k < ROW_HEADER; k++) numbers[to + k] = slab[base + k]!;
    for (let k = 0; k < places.length; k++) numbers[to + ROW_HEADER + k] = slab[base + ROW_HEADER + places[k]!]!;
    if (texts !== null && strings !== null) {
      for (let k = 0; k < places.length; k++) texts[index * places.length + k] = strings[places[k]!]!;
    }
    kinds[index] = KINDS.indexOf(state);
  }

  failed(index: number, error: ErrorBody): void {
    this.failure = error;
    this.#columns.errors.set(index, error);
    this.#columns.kinds[index] = FAILED;
  }

  rows(): Promise<Buffer> {
    return this.#makeText(this.#columns);
  }
}
