import type { View } from '../registry/view.ts';
import { type RowSpec, RowWriter } from '../values/json.ts';
import { AS_OF, POSITION, REVISION, ROW_HEADER, type Row } from '../values/row.ts';
import type { Subscriber } from './subscriber.ts';
import type { Watch } from './watches.ts';

/** One (view, version, definition hash, features): what its subscribers see is the same bytes for all. */
export class Topic {
  readonly id: number;
  readonly key: string;
  /** The newest of its definition: options may change. */
  view: View;
  readonly feeds = new Map<string, Feed>();
  /** Of each feature, its place in the view. */
  readonly places: readonly number[];
  readonly hasStrings: boolean;
  /** Writes rows that hold the topic's features alone. */
  readonly writer: RowWriter;

  constructor(id: number, key: string, view: View, spec: RowSpec) {
    this.id = id;
    this.key = key;
    this.view = view;
    this.places = spec.places;
    this.hasStrings = spec.outputs.includes('string');
    this.writer = new RowWriter({ ...spec, places: spec.places.map((_, i) => i) });
  }
}

/** One entity of a topic: who hears of it, and what was published last. */
export class Feed {
  readonly topic: Topic;
  readonly watch: Watch<Feed>;
  readonly live = new Set<Subscriber<Feed>>();
  /** Subscribers whose snapshot is not sent yet: what comes meanwhile must not pass it. */
  readonly waiting = new Set<Subscriber<Feed>>();
  /** The row header and the topic's features; null: nothing yet. */
  #numbers: Float64Array | null = null;
  #strings: (string | null)[] | null = null;
  /** Kept only while someone will still need it. */
  #frame: Buffer | null = null;
  readonly #makeFrame: (text: string) => Buffer;

  constructor(topic: Topic, watch: Watch<Feed>, makeFrame: (text: string) => Buffer) {
    this.topic = topic;
    this.watch = watch;
    this.#makeFrame = makeFrame;
  }

  get entityId(): string {
    return this.watch.entityId;
  }

  get empty(): boolean {
    return this.live.size === 0 && this.waiting.size === 0;
  }

  /** Something was published, or known to all from their snapshots. */
  get primed(): boolean {
    return this.#numbers !== null;
  }

  /** That of the last published row; −1 before. */
  get revision(): number {
    return this.#numbers === null ? -1 : this.#numbers[REVISION]!;
  }

  /**
   * Takes the row over where it is newer and the bits of one of the topic's features differ.
   * @returns whether it did, so that subscribers must hear of it
   */
  publish(row: Row): boolean {
    if (this.#numbers !== null && (isOlder(row, this.#numbers) || this.#sameBits(row, this.#numbers))) return false;
    this.prime(row);
    return true;
  }

  /** Takes the row over as the one that everyone knows. */
  prime({ slab, base, strings }: Row): void {
    const { places, hasStrings } = this.topic;
    this.#numbers ??= new Float64Array(ROW_HEADER + places.length);
    for (let k = 0; k < ROW_HEADER; k++) this.#numbers[k] = slab[base + k]!;
    for (let k = 0; k < places.length; k++) this.#numbers[ROW_HEADER + k] = slab[base + ROW_HEADER + places[k]!]!;
    if (hasStrings) this.#strings = places.map((place) => strings?.[place] ?? null);
    this.#frame = null;
  }

  /** The frame of the last published row: the same Buffer for everyone who gets it in one go. */
  frame(): Buffer {
    if (this.#frame !== null) return this.#frame;
    const row = { slab: this.#numbers!, base: 0, strings: this.#strings };
    this.#frame = this.#makeFrame(this.topic.writer.updateText(this.topic.id, this.entityId, row));
    return this.#frame;
  }

  /** Nobody needs the frame for now: it can be made again from the numbers. */
  dropFrame(): void {
    this.#frame = null;
  }

  #sameBits({ slab, base, strings }: Row, numbers: Float64Array): boolean {
    const { places } = this.topic;
    for (let k = 0; k < places.length; k++) {
      const a = slab[base + ROW_HEADER + places[k]!]!;
      const b = numbers[ROW_HEADER + k]!;
      // NaN, the null of a number, differs from itself.
      if (a !== b && !(Number.isNaN(a) && Number.isNaN(b))) return false;
      if (this.#strings !== null && (strings?.[places[k]!] ?? null) !== this.#strings[k]) return false;
    }
    return true;
  }
}

function isOlder({ slab, base }: Row, numbers: Float64Array): boolean {
  const position = slab[base + POSITION]!;
  return position < numbers[POSITION]! || (position === numbers[POSITION] && slab[base + AS_OF]! < numbers[AS_OF]!);
}
