/** A client's connection, which may be slow, and what the client knows by it. */
import type { Sink } from '../../src/push/sink.ts';
import type { View } from '../../src/registry/view.ts';
import { isSameView, type Seen } from './world.ts';

/** What a client knows of one entity of a topic. */
export interface Held {
  /** Null: no value has come yet. */
  seen: Seen | null;
  /** It has a snapshot, or wanted none: updates may come. */
  ready: boolean;
  /** The turn in which its snapshot came, after which it hears of each change with all others. */
  readyTurn: number;
  /** It asked for no snapshot: until something changes it need hear of nothing. */
  mayBeEmpty: boolean;
  /** Its next update may bring the same row or the same bits: others may have passed it by. */
  passedBy: boolean;
}

export interface ClientTopic {
  id: number;
  view: View;
  places: number[] | null;
  held: Map<string, Held>;
}

/** A `subscribe` that is not answered. */
export interface Pending {
  view: View;
  places: number[] | null;
  entityIds: string[];
  given: Set<string>;
  resume: Record<string, Seen>;
  needs: Map<string, number>;
  deadlineMs: number;
  turn: number;
}

interface Selection {
  view: View;
  places: number[] | null;
}

export const isTopic = (a: Selection, b: Selection) => isSameView(a.view, b.view) && `${a.places}` === `${b.places}`;

type Queued = { frame: Buffer } | { message: object };

export class Client implements Sink {
  readonly name: string;
  readonly topics: ClientTopic[] = [];
  readonly pending = new Set<Pending>();
  readonly epoch: string;
  /** Frames that may be buffered before it is congested. */
  readonly capacity: number;
  closed = false;
  #buffered = 0;
  #queue: Queued[] = [];
  /** A frame has reached it. */
  readonly #updated: (client: Client, frame: Buffer) => void;
  /** A message has. */
  readonly #told: (client: Client, message: object) => void;

  constructor(
    name: string,
    epoch: string,
    capacity: number,
    updated: (client: Client, frame: Buffer) => void,
    told: (client: Client, message: object) => void,
  ) {
    this.#updated = updated;
    this.#told = told;
    this.name = name;
    this.epoch = epoch;
    this.capacity = capacity;
  }

  get congested(): boolean {
    return this.#buffered >= this.capacity;
  }

  update(frame: Buffer): void {
    this.#buffered++;
    this.#queue.push({ frame });
  }

  control(message: object): void {
    this.#queue.push({ message });
  }

  flush(): void {
    for (const item of this.#queue.splice(0)) {
      if ('frame' in item) this.#updated(this, item.frame);
      else this.#told(this, item.message);
    }
  }

  /** What is buffered has left. @returns whether anything had been */
  drain(): boolean {
    const had = this.#buffered > 0;
    this.#buffered = 0;
    return had;
  }

  topicOf(view: View, places: number[] | null): ClientTopic | undefined {
    return this.topics.find((topic) => isTopic(topic, { view, places }));
  }
}
