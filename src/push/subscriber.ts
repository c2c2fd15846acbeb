import type { Sink } from './sink.ts';

/** What a connection needs of an entity of a topic. */
interface Followed {
  topic: { id: number };
  entityId: string;
  /** The newest row as a complete WebSocket frame; the same Buffer for all until it is dropped. */
  frame(): Buffer;
  dropFrame(): void;
}

/** One connection as push knows it: its feeds, and which of them it is behind with. */
export class Subscriber<Feed extends Followed> {
  readonly sink: Sink;
  /** By topic id and entity id. */
  readonly feeds = new Map<number, Map<string, Feed>>();
  count = 0;
  /** Feeds whose newest row it lacks, because its connection was congested: never more than it subscribes to. */
  readonly #behind = new Set<Feed>();
  /** By topic id, updates that newer ones overtook meanwhile. */
  readonly #overtaken = new Map<number, number>();

  constructor(sink: Sink) {
    this.sink = sink;
  }

  get isBehind(): boolean {
    return this.#behind.size > 0;
  }

  add(feed: Feed): void {
    const { id } = feed.topic;
    let feeds = this.feeds.get(id);
    if (feeds === undefined) {
      feeds = new Map();
      this.feeds.set(id, feeds);
    }
    feeds.set(feed.entityId, feed);
    this.count++;
  }

  remove(feed: Feed): void {
    const { id } = feed.topic;
    const feeds = this.feeds.get(id)!;
    feeds.delete(feed.entityId);
    if (feeds.size === 0) {
      this.feeds.delete(id);
      this.#overtaken.delete(id);
    }
    this.#behind.delete(feed);
    this.count--;
  }

  /** Hands over the feed's newest row, or keeps in mind that it must follow. @returns whether it was handed over */
  update(feed: Feed): boolean {
    if (this.#behind.has(feed)) {
      const { id } = feed.topic;
      this.#overtaken.set(id, (this.#overtaken.get(id) ?? 0) + 1);
      return false;
    }
    if (this.sink.congested) {
      this.#behind.add(feed);
      return false;
    }
    this.sink.update(feed.frame());
    return true;
  }

  /** It has a newer row than the one it may be behind with, or will be handed one now. */
  overtake(feed: Feed): void {
    this.#behind.delete(feed);
  }

  /** Says what was skipped and hands over the newest row of each feed behind, for as long as the connection takes them. */
  catchUp(): void {
    for (const [topic, skipped] of this.#overtaken) this.sink.control({ type: 'lagged', topic, skipped });
    this.#overtaken.clear();
    for (const feed of this.#behind) {
      if (this.sink.congested) return;
      this.#behind.delete(feed);
      this.sink.update(feed.frame());
      feed.dropFrame();
    }
  }
}
