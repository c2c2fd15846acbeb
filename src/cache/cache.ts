import { LRUCache } from 'lru-cache';
import type { Clock, Micros } from '../clock.ts';
import type { View } from '../registry/view.ts';
import type { Codes } from '../values/codes.ts';
import type { RowWriters } from '../values/json.ts';
import {
  AS_OF,
  COMPUTED_AT,
  type ComputedBlock,
  EVENT_TIME,
  isOver,
  POSITION,
  REVISION,
  ROW_HEADER,
  type Row,
  VALID_UNTIL,
} from '../values/row.ts';
import type { Touched } from '../values/touched.ts';
import { ViewTags } from '../values/view-tags.ts';
import { type Chunk, Slab, type Tenant } from './slab.ts';

/** What an entry takes beside its numbers, key and texts, in bytes: objects and list places, measured roughly. */
const ENTRY_BYTES = 240;
/** At most so many entries are dropped by one call that works in slices. */
const SLICE_ROWS = 2000;

/** A row in the cache. Its place in the slab is another's once it is evicted: read it in the turn in which it was found. */
export class CachedRow implements Row, Tenant {
  view: View;
  readonly entityId: string;
  readonly key: string;
  code: number;
  slab!: Float64Array;
  base!: number;
  chunk!: Chunk;
  strings: (string | null)[] | null = null;
  /** The whole row as JSON, as a hit gives it; made when first asked for. */
  text: string | null = null;
  bytes = 0;

  constructor(view: View, entityId: string, key: string, code: number) {
    this.view = view;
    this.entityId = entityId;
    this.key = key;
    this.code = code;
  }
}

/**
 * - `fresh`: neither touched since nor past its TTL, and not over ({@link isOver})
 * - `stale`: past its TTL, within the view's stale-while-revalidate window
 * - `expired`: past both, or over
 * - `dirty`: an event has touched the entity since
 */
export type FoundState = 'fresh' | 'stale' | 'expired' | 'dirty';

export interface Found {
  row: CachedRow;
  state: FoundState;
}

/** Why rows left: too many rows, too many bytes, past the TTL, the memory guard, a definition that is served no more. */
export type EvictionCause = 'lru' | 'bytes' | 'ttl' | 'memory' | 'replaced';

export interface CacheCounters {
  hits: number;
  /** Look-ups that found no row at all. */
  misses: number;
  expired: number;
  dirty: number;
  stale: number;
  evictions: Record<EvictionCause, number>;
}

export interface CacheOptions {
  clock: Clock;
  touched: Touched;
  codes: Codes;
  writers: RowWriters;
  entriesMax: number;
  bytesMax: number;
}

/**
 * The rows that were computed last, by (view, version, definition hash, entity), bounded in entries and bytes.
 *
 * lru-cache keeps order and age. Its `perf` is the engine's clock in microseconds; `ttlResolution` is 0, because a
 * remembered time would outlive a jump of an event clock and would need a timer of the system's. That costs nothing
 * here: the time is read once a look-up by the caller and handed over in a field.
 */
export class FeatureCache {
  readonly counters: CacheCounters = {
    hits: 0,
    misses: 0,
    expired: 0,
    dirty: 0,
    stale: 0,
    evictions: { lru: 0, bytes: 0, ttl: 0, memory: 0, replaced: 0 },
  };
  readonly #clock: Clock;
  readonly #touched: Touched;
  readonly #codes: Codes;
  readonly #writers: RowWriters;
  readonly #bytesMax: number;
  readonly #tags = new ViewTags();
  readonly #rows: LRUCache<string, CachedRow>;
  readonly #slabs = new Map<number, Slab>();
  #now: Micros = 1;
  #bytes = 0;
  #cause: EvictionCause = 'lru';
  readonly #found: Found = { row: undefined as never, state: 'fresh' };
  readonly #status: LRUCache.Status<string, CachedRow> = {};
  readonly #get = { allowStale: true, noDeleteOnStaleGet: true, updateAgeOnGet: false, status: this.#status };

  constructor(options: CacheOptions) {
    this.#clock = options.clock;
    this.#touched = options.touched;
    this.#codes = options.codes;
    this.#writers = options.writers;
    this.#bytesMax = options.bytesMax;
    this.#rows = new LRUCache<string, CachedRow>({
      max: options.entriesMax,
      allowStale: true,
      noDeleteOnStaleGet: true,
      ttlResolution: 0,
      perf: { now: () => this.#now },
      dispose: (row, _key, reason) => this.#disposed(row, reason),
    });
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Bytes of rows, keys and texts. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of all chunks of the slabs, free rows included. */
  get slabBytes(): number {
    let bytes = 0;
    for (const slab of this.#slabs.values()) bytes += slab.bytes;
    return bytes;
  }

  /**
   * Looks a row up, counts the outcome and marks the row as used.
   * @param now the engine's clock
   * @returns valid until the next call; undefined where there is no row
   */
  find(view: View, entityId: string, now: Micros): Found | undefined {
    const found = this.#look(view, entityId, now);
    if (found === undefined) this.counters.misses++;
    else if (found.state === 'fresh') this.counters.hits++;
    else this.counters[found.state]++;
    return found;
  }

  /** A fresh row, counted as a hit; anything else is undefined and left for {@link find} to count. */
  hit(view: View, entityId: string, now: Micros): CachedRow | undefined {
    const found = this.#look(view, entityId, now);
    if (found === undefined || found.state !== 'fresh') return undefined;
    this.counters.hits++;
    return found.row;
  }

  /** The row whatever its state, neither counted nor marked as used. */
  peek(view: View, entityId: string): CachedRow | undefined {
    return this.#rows.peek(this.#tags.of(view) + entityId);
  }

  /**
   * Keeps row `i` of a block, in place of an older one of the same view and entity.
   * @param code the entity's code; −1 where no event has named it
   */
  store(
    view: View,
    entityId: string,
    code: number,
    block: ComputedBlock,
    i: number,
    revision: number,
    computedAt: Micros,
  ): CachedRow {
    this.#setNow(this.#clock.now());
    const key = this.#tags.of(view) + entityId;
    let row = this.#rows.peek(key);
    if (row === undefined) {
      row = new CachedRow(view, entityId, key, code);
      this.#slab(view).settle(row);
    }
    row.view = view;
    row.code = code;
    row.text = null;
    fill(row, block, i, revision, computedAt);
    this.#rows.set(key, row, {
      ttl: Math.max(1, view.ttl + view.staleWhileRevalidate),
      start: Math.max(1, block.asOf),
    });
    this.#account(row);
    return row;
  }

  /** {@link text} for a row that may be one of the cache's; else null. */
  keptText(row: Row): string | null {
    return row instanceof CachedRow ? this.text(row) : null;
  }

  /** The whole row as JSON, as a hit gives it. Kept beside the row, and counted. */
  text(row: CachedRow): string {
    if (row.text === null) {
      const text = this.#writers.of(row.view, null).rowText(row.entityId, row, 'cached');
      // Reading one character makes the pieces one flat string, or else each reply would walk them again.
      text.charCodeAt(text.length - 1);
      row.text = text;
      if (this.#rows.peek(row.key) === row) this.#account(row);
    }
    return row.text;
  }

  /** Drops rows past their TTL (and stale window). */
  purgeStale(): void {
    this.#setNow(this.#clock.now());
    this.#rows.purgeStale();
  }

  /** Drops all rows of a definition: nobody will ask for them. */
  forget(view: View): void {
    const tag = this.#tags.of(view);
    this.#cause = 'replaced';
    for (const key of [...this.#rows.keys()]) if (key.startsWith(tag)) this.#rows.delete(key);
    this.#cause = 'lru';
  }

  /**
   * Drops the rows used least recently and packs the rest.
   * @param count rows still to drop
   * @returns how many remain to be dropped by further calls, and whether there is more to pack
   */
  shrink(count: number): { left: number; packing: boolean } {
    const slice = Math.min(count, SLICE_ROWS, this.#rows.size);
    this.#cause = 'memory';
    for (let i = 0; i < slice; i++) this.#rows.pop();
    this.#cause = 'lru';
    const left = this.#rows.size === 0 ? 0 : count - slice;
    if (left > 0) return { left, packing: true };
    let packing = false;
    for (const slab of this.#slabs.values()) packing = slab.pack(SLICE_ROWS) || packing;
    return { left, packing };
  }

  #look(view: View, entityId: string, now: Micros): Found | undefined {
    this.#setNow(now);
    const { staleWhileRevalidate } = view;
    // Within a stale window the age of the entry in lru-cache runs on past the TTL, and must not be set back there.
    this.#get.updateAgeOnGet = view.updateAgeOnGet && staleWhileRevalidate === 0;
    const row = this.#rows.get(this.#tags.of(view) + entityId, this.#get);
    if (row === undefined) return undefined;
    const found = this.#found;
    found.row = row;
    found.state = this.#state(row, view, this.#now - this.#status.start!);
    if (view.updateAgeOnGet && staleWhileRevalidate > 0 && found.state === 'fresh') {
      this.#rows.get(row.key, { updateAgeOnGet: true });
    }
    return found;
  }

  #state(row: CachedRow, view: View, age: Micros): FoundState {
    if (row.code < 0) row.code = this.#codes.codeOf(view.plan.entity, row.entityId);
    if (this.#touched.lastTouch(view, row.code) > row.slab[row.base + POSITION]!) return 'dirty';
    if (isOver(row, this.#now)) return 'expired';
    if (age <= view.ttl) return 'fresh';
    return age <= view.ttl + view.staleWhileRevalidate ? 'stale' : 'expired';
  }

  /** An event clock stands at 0 before its first event, which lru-cache would take for "no start". */
  #setNow(now: Micros): void {
    this.#now = Math.max(1, now);
  }

  #account(row: CachedRow): void {
    const bytes = bytesOf(row);
    this.#bytes += bytes - row.bytes;
    row.bytes = bytes;
    if (this.#bytes <= this.#bytesMax) return;
    this.#cause = 'bytes';
    while (this.#bytes > this.#bytesMax && this.#rows.size > 1) this.#rows.pop();
    this.#cause = 'lru';
  }

  #disposed(row: CachedRow, reason: LRUCache.DisposeReason): void {
    this.counters.evictions[reason === 'expire' ? 'ttl' : this.#cause]++;
    this.#bytes -= row.bytes;
    this.#slab(row.view).leave(row);
  }

  #slab(view: View): Slab {
    const width = ROW_HEADER + view.features.length;
    let slab = this.#slabs.get(width);
    if (slab === undefined) {
      slab = new Slab(width);
      this.#slabs.set(width, slab);
    }
    return slab;
  }
}

function fill(row: CachedRow, block: ComputedBlock, i: number, revision: number, computedAt: Micros): void {
  const { slab, base } = row;
  slab[base + AS_OF] = block.asOf;
  slab[base + POSITION] = block.position;
  slab[base + REVISION] = revision;
  slab[base + EVENT_TIME] = block.eventTime[i]!;
  slab[base + COMPUTED_AT] = computedAt;
  slab[base + VALID_UNTIL] = block.validUntil[i]!;
  const count = row.view.features.length;
  const from = i * count;
  const to = base + ROW_HEADER;
  for (let k = 0; k < count; k++) slab[to + k] = block.values[from + k]!;
  row.strings = block.strings?.map((column) => column?.[i] ?? null) ?? null;
}

function bytesOf(row: CachedRow): number {
  let bytes = ENTRY_BYTES + row.key.length + (ROW_HEADER + row.view.features.length) * 8;
  if (row.text !== null) bytes += row.text.length;
  if (row.strings !== null) for (const text of row.strings) bytes += 8 + (text?.length ?? 0) * 2;
  return bytes;
}
