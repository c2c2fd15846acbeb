import type { FeatureCache } from '../cache/cache.ts';
import type { Micros } from '../clock.ts';
import {
  AS_OF,
  blockWidth,
  COMPUTED_AT,
  type ComputedBlock,
  EVENT_TIME,
  POSITION,
  REVISION,
  ROW_HEADER,
  type Row,
  VALID_UNTIL,
} from './row.ts';

export interface ValuesOptions {
  cache: FeatureCache;
  wallMicros: () => Micros;
  /**
   * Told of each accepted row, in the turn in which it came.
   * @param row to be read during the call
   * @param changed whether its bits differ from those known before
   */
  onRow: (row: Row, code: number, changed: boolean) => void;
}

/** The one door for every new value, whoever asked for it. */
export class Values {
  readonly #options: ValuesOptions;
  #revision = 0;

  constructor(options: ValuesOptions) {
    this.#options = options;
  }

  /**
   * Takes rows computed for "now": keeps each unless a newer one is there, and tells of it.
   * @param codes by row, the entity code it was computed for: −1 where the log had no event of it at that position
   */
  accept(block: ComputedBlock, codes: ArrayLike<number>): void {
    const { cache, onRow, wallMicros } = this.#options;
    const { view } = block;
    const computedAt = wallMicros();
    for (let i = 0; i < block.n; i++) {
      const entityId = block.entityIds[i]!;
      const code = codes[i]!;
      const known = cache.peek(view, entityId);
      if (known !== undefined && isNewer(known, block)) continue;
      const changed = known === undefined || !sameBits(known, block, i);
      const revision = changed ? ++this.#revision : known.slab[known.base + REVISION]!;
      onRow(cache.store(view, entityId, code, block, i, revision, computedAt), code, changed);
    }
  }

  /**
   * Row `i` of a block by itself, outside the cache; where it has features of a request, the request's time stands
   * behind them.
   * @param live whether it was computed for "now": such a row has a revision, a historical one has 0
   */
  detachedRow(block: ComputedBlock, i: number, live: boolean): Row {
    const count = blockWidth(block);
    const slab = new Float64Array(ROW_HEADER + count + (block.ofRequest ? 1 : 0));
    if (block.ofRequest) slab[ROW_HEADER + count] = block.asOf;
    slab[AS_OF] = block.asOf;
    slab[POSITION] = block.position;
    // A revision may skip, so one more than all before is right for a row that the cache could not keep.
    slab[REVISION] = live ? ++this.#revision : 0;
    slab[EVENT_TIME] = block.eventTime[i]!;
    slab[COMPUTED_AT] = this.#options.wallMicros();
    slab[VALID_UNTIL] = block.validUntil[i]!;
    slab.set(block.values.subarray(i * count, (i + 1) * count), ROW_HEADER);
    const strings = block.strings?.map((column) => column?.[i] ?? null) ?? null;
    return { view: block.view, entityId: block.entityIds[i]!, slab, base: 0, strings };
  }
}

function isNewer(known: Row, block: ComputedBlock): boolean {
  const position = known.slab[known.base + POSITION]!;
  return position > block.position || (position === block.position && known.slab[known.base + AS_OF]! > block.asOf);
}

/** Null equals null, and −0 equals 0: no text tells them apart. */
function sameBits(known: Row, block: ComputedBlock, i: number): boolean {
  const { slab, strings } = known;
  const count = block.view.features.length;
  const first = known.base + ROW_HEADER;
  const from = i * count;
  for (let k = 0; k < count; k++) {
    const a = slab[first + k]!;
    const b = block.values[from + k]!;
    // biome-ignore lint/suspicious/noSelfCompare: NaN, the null of a number, differs from itself.
    if (a !== b && (a === a || b === b)) return false;
    if (strings !== null && strings[k] !== (block.strings?.[k]?.[i] ?? null)) return false;
  }
  return true;
}
