import type { ErrorBody, HeadraceError } from '../errors.ts';
import type { Job } from '../fleet/job.ts';
import type { View } from '../registry/view.ts';
import type { AddedBatch } from '../store/log-row.ts';
import { rowSpec } from '../values/json.ts';
import { POSITION, REVISION, type Row } from '../values/row.ts';
import { ViewTags } from '../values/view-tags.ts';
import { Flusher } from './flusher.ts';
import type { Sink } from './sink.ts';
import { Subscriber } from './subscriber.ts';
import { Feed, Topic } from './topic.ts';
import { Watches, type WatchesOptions } from './watches.ts';

export interface PushOptions extends Omit<WatchesOptions, 'tags'> {
  /** The newest known row, from the cache. */
  peek: (view: View, entityId: string) => Row | undefined;
  /** One whole WebSocket text frame: the header of an unmasked, final text frame, then the text as UTF-8. */
  makeFrame: (text: string) => Buffer;
  /** Runs a callback soon, after input and output that is ready. */
  defer: (callback: () => void) => void;
}

/**
 * Who watches what. Subscriptions to the same (view, features) meet in a topic; of each topic and entity one frame is
 * built when the bits of one of its features change, and that Buffer goes to every subscriber.
 */
export class Push {
  readonly counters = { updates: 0, deliveries: 0 };
  readonly #options: PushOptions;
  readonly #tags = new ViewTags();
  readonly #watches: Watches<Feed>;
  readonly #flusher: Flusher;
  readonly #topics = new Map<string, Topic>();
  readonly #subscribers = new Map<Sink, Subscriber<Feed>>();
  readonly #ended = new WeakMap<View, HeadraceError>();
  #lastTopic = 0;

  constructor(options: PushOptions) {
    this.#options = options;
    this.#watches = new Watches<Feed>({ ...options, tags: this.#tags });
    this.#flusher = new Flusher(options.defer);
  }

  /** Topics, watched (view, entity) pairs and subscribed connections. */
  get sizes(): { topics: number; watched: number; subscribers: number } {
    return { topics: this.#topics.size, watched: this.#watches.size, subscribers: this.#subscribers.size };
  }

  /** What the connection is subscribed to. */
  held(sink: Sink): { topics: number; entities: number } {
    const subscriber = this.#subscribers.get(sink);
    return { topics: subscriber?.feeds.size ?? 0, entities: subscriber?.count ?? 0 };
  }

  /** What a subscription would add to what the connection holds: the topic, and so many entities. */
  wouldAdd(
    sink: Sink,
    view: View,
    select: number[] | null,
    entityIds: readonly string[],
  ): { topics: number; entities: number } {
    const topic = this.#topics.get(this.#topicKey(view, select));
    const feeds = topic && this.#subscribers.get(sink)?.feeds.get(topic.id);
    const added = new Set(entityIds.filter((entityId) => !feeds?.has(entityId)));
    return { topics: feeds === undefined ? 1 : 0, entities: added.size };
  }

  /**
   * Subscribes to some entities.
   * @param select indexes of features; null: all
   * @param snapshot whether {@link snapshotSent} will follow for each added entity: its updates wait until then
   * @returns the topic, and the entities that the connection was not subscribed to before
   */
  subscribe(
    sink: Sink,
    view: View,
    select: number[] | null,
    entityIds: readonly string[],
    snapshot: boolean,
  ): { topic: number; added: string[] } {
    const subscriber = this.#subscribers.get(sink) ?? new Subscriber<Feed>(sink);
    const topic = this.#topic(view, select);
    const added: string[] = [];
    for (const entityId of entityIds) {
      if (subscriber.feeds.get(topic.id)?.has(entityId)) continue;
      const feed = topic.feeds.get(entityId) ?? this.#newFeed(topic, entityId);
      feed.waiting.add(subscriber);
      subscriber.add(feed);
      added.push(entityId);
      if (!snapshot) this.#join(subscriber, feed, null);
    }
    if (subscriber.count > 0) this.#subscribers.set(sink, subscriber);
    this.#dropTopicIfEmpty(topic);
    return { topic: topic.id, added };
  }

  /**
   * The snapshot row of an entity has gone to the connection's queue: newer updates may follow it.
   * @param revision that of the row; −1 where there is none
   */
  snapshotSent(sink: Sink, topic: number, entityId: string, revision: number): void {
    const subscriber = this.#subscribers.get(sink);
    const feed = subscriber?.feeds.get(topic)?.get(entityId);
    if (subscriber === undefined || feed === undefined) return;
    if (feed.waiting.has(subscriber)) this.#join(subscriber, feed, revision);
    else this.#repeat(subscriber, feed, revision);
  }

  /** @param entityIds null: the whole topic. @returns whether the connection was subscribed to the topic */
  unsubscribe(sink: Sink, topic: number, entityIds: readonly string[] | null): boolean {
    const subscriber = this.#subscribers.get(sink);
    const feeds = subscriber?.feeds.get(topic);
    if (subscriber === undefined || feeds === undefined) return false;
    for (const entityId of entityIds ?? [...feeds.keys()]) {
      const feed = feeds.get(entityId);
      if (feed !== undefined) this.#leave(subscriber, feed);
    }
    if (subscriber.count === 0) this.#forget(subscriber);
    return true;
  }

  /** The view is served no more: ends its topics, and whatever subscription to it still waits for its snapshot. */
  end(view: View, why: HeadraceError): void {
    this.#ended.set(view, why);
    const { code, message } = why;
    for (const topic of this.#topicsOf(view)) {
      for (const subscriber of [...this.#subscribers.values()]) {
        const feeds = [...(subscriber.feeds.get(topic.id)?.values() ?? [])];
        if (feeds.length === 0) continue;
        // Who has not been told the topic's number yet is told why there is none.
        const told = feeds.some((feed) => feed.live.has(subscriber));
        for (const feed of feeds) this.#leave(subscriber, feed);
        if (subscriber.count === 0) this.#forget(subscriber);
        if (!told) continue;
        // Messages pass updates by, and no update may follow this one.
        subscriber.sink.flush();
        subscriber.sink.control({ type: 'end', topic: topic.id, code, message });
        subscriber.sink.flush();
      }
    }
  }

  /** Why the view has no topics any more; null: it may have. */
  endOf(view: View): HeadraceError | null {
    return this.#ended.get(view) ?? null;
  }

  /** The view takes the place of another of the same definition. */
  renew(view: View): void {
    for (const topic of this.#topicsOf(view)) {
      topic.view = view;
      for (const { watch } of topic.feeds.values()) watch.view = view;
    }
  }

  /** The connection is gone. */
  closed(sink: Sink): void {
    const subscriber = this.#subscribers.get(sink);
    if (subscriber === undefined) return;
    for (const feeds of [...subscriber.feeds.values()]) {
      for (const feed of [...feeds.values()]) this.#leave(subscriber, feed);
    }
    this.#forget(subscriber);
  }

  /** The connection has room again. */
  drained(sink: Sink): void {
    const subscriber = this.#subscribers.get(sink);
    if (!subscriber?.isBehind) return;
    subscriber.catchUp();
    sink.flush();
  }

  /** A row was accepted. It leaves with {@link flush}. */
  onRow(row: Row, changed: boolean): void {
    const watch = this.#watches.get(row.view, row.entityId);
    if (watch === undefined) return;
    this.#watches.seen(watch, row);
    for (const feed of watch.feeds) {
      if (feed.primed && !changed) continue;
      if (feed.publish(row)) this.#deliver(feed);
    }
  }

  /** Entity ids have got codes: `values[i]` has the code `from + i`. */
  named(entity: string, from: number, values: readonly string[]): void {
    this.#watches.named(entity, from, values);
  }

  /** What to compute right after a commit: watched entities that it touched, and what is due by the clock. */
  jobs(added: readonly AddedBatch[]): Job[] {
    const jobs: Job[] = [];
    for (const { source, touched } of added) {
      for (const { entity, codes } of touched) this.#watches.touch(source, entity, codes, jobs);
    }
    this.#watches.due(jobs);
    return jobs;
  }

  /** Jobs have come back; their rows were accepted before. Those of others are ignored. */
  computed(jobs: readonly Job[]): void {
    this.#watches.computed(jobs);
  }

  failed(jobs: readonly Job[], error: ErrorBody): void {
    this.#watches.failed(jobs, error);
  }

  /** At the end of a turn: sends what it has brought, and asks for what became due. */
  flush(): void {
    this.#flusher.flush();
    this.#watches.flush();
  }

  close(): void {
    this.#watches.close();
  }

  #topicKey(view: View, select: number[] | null): string {
    return `${this.#tags.of(view)}${select === null ? '*' : select.join()}`;
  }

  #topicsOf(view: View): Topic[] {
    const tag = this.#tags.of(view);
    return [...this.#topics.values()].filter((topic) => this.#tags.of(topic.view) === tag);
  }

  #topic(view: View, select: number[] | null): Topic {
    const key = this.#topicKey(view, select);
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      this.#lastTopic++;
      topic = new Topic(this.#lastTopic, key, view, rowSpec(view, select));
      this.#topics.set(key, topic);
    }
    return topic;
  }

  #newFeed(topic: Topic, entityId: string): Feed {
    const watch = this.#watches.add(topic.view, entityId);
    const feed = new Feed(topic, watch, this.#options.makeFrame);
    watch.feeds.push(feed);
    topic.feeds.set(entityId, feed);
    return feed;
  }

  /** @param revision of the row that the subscriber has; null: it has asked for none */
  #join(subscriber: Subscriber<Feed>, feed: Feed, revision: number | null): void {
    const { watch } = feed;
    feed.waiting.delete(subscriber);
    feed.live.add(subscriber);
    const row = this.#options.peek(watch.view, watch.entityId);
    if (row !== undefined && row.slab[row.base + POSITION]! >= watch.position) {
      this.#watches.seen(watch, row);
      // What the subscriber has, or may be taken to know, is what the next row is held against.
      const known = revision === null || revision === row.slab[row.base + REVISION];
      if (!feed.primed && known) feed.prime(row);
    }
    this.#watches.want(watch);
    if (revision !== null) this.#follow(subscriber, feed, revision);
    if (feed.waiting.size === 0 && !subscriber.isBehind) feed.dropFrame();
  }

  /** A subscriber has asked for a snapshot anew: what it was sent while that was read must stand after it. */
  #repeat(subscriber: Subscriber<Feed>, feed: Feed, revision: number): void {
    subscriber.overtake(feed);
    this.#follow(subscriber, feed, revision);
    if (feed.waiting.size === 0) feed.dropFrame();
  }

  /** Sends what is newer than the row of a snapshot, or gets a row where the snapshot had none. */
  #follow(subscriber: Subscriber<Feed>, feed: Feed, revision: number): void {
    if (feed.revision > revision) this.#send(subscriber, feed);
    else if (revision < 0) this.#watches.demand(feed.watch);
  }

  #deliver(feed: Feed): void {
    this.counters.updates++;
    let held = feed.waiting.size > 0;
    for (const subscriber of feed.live) if (!this.#send(subscriber, feed)) held = true;
    if (!held) feed.dropFrame();
  }

  #send(subscriber: Subscriber<Feed>, feed: Feed): boolean {
    if (!subscriber.update(feed)) return false;
    this.counters.deliveries++;
    this.#flusher.add(subscriber);
    return true;
  }

  #leave(subscriber: Subscriber<Feed>, feed: Feed): void {
    subscriber.remove(feed);
    feed.live.delete(subscriber);
    feed.waiting.delete(subscriber);
    if (!feed.empty) return;
    const { topic, watch } = feed;
    topic.feeds.delete(feed.entityId);
    watch.feeds.splice(watch.feeds.indexOf(feed), 1);
    if (watch.feeds.length === 0) this.#watches.remove(watch);
    this.#dropTopicIfEmpty(topic);
  }

  #dropTopicIfEmpty(topic: Topic): void {
    if (topic.feeds.size === 0) this.#topics.delete(topic.key);
  }

  #forget(subscriber: Subscriber<Feed>): void {
    this.#subscribers.delete(subscriber.sink);
    this.#flusher.remove(subscriber);
  }
}
