/**
 * Feeds the batches of one long body to the log and adds up the answers.
 *
 * A few batches are under way at a time; reading goes on when one of them is durable. Where the engine is overloaded the
 * stream waits and tries the same batch again, so that its producer is slowed down rather than refused.
 */
import type { Timers } from '../clock.ts';
import { HeadraceError } from '../errors.ts';
import type { BatchKey, IngestAnswer, Rejection } from '../store/log-row.ts';
import type { EventsAnswer } from '../wire/bodies.ts';
import { asHeadraceError } from '../wire/checks.ts';
import type { Reply } from '../wire/service.ts';
import type { EventBatch } from './line-batches.ts';

export const REJECTED_LISTED_MAX = 1000;
const UNDER_WAY_MAX = 4;
const RETRY_MS = 100;

/** @param events null: none, to hear where the log stands */
type Submit<Events> = (events: Events | null, key: BatchKey | null, done: Reply<IngestAnswer>) => void;

/** What a body without a single event comes to. */
const NOTHING = { events: null, n: 0, indexes: null, base: 0, malformed: [] };

export class StreamIngest<Events> {
  readonly #submit: Submit<Events>;
  readonly #taken: (answer: IngestAnswer) => void;
  readonly #key: BatchKey | null;
  readonly #timers: Timers;
  readonly #total: EventsAnswer = {
    position: 0,
    accepted: 0,
    late: 0,
    duplicate: 0,
    rejected: [],
    rejected_count: 0,
  };
  #chunk = 0;
  #submitted = false;
  #underWay = 0;
  #failure: HeadraceError | null = null;
  #wake: (() => void) | null = null;

  /**
   * @param taken hears of each batch that is durable
   * @param key of the body; each batch becomes one chunk of it
   */
  constructor(submit: Submit<Events>, taken: (answer: IngestAnswer) => void, key: BatchKey | null, timers: Timers) {
    this.#submit = submit;
    this.#taken = taken;
    this.#key = key;
    this.#timers = timers;
  }

  /** Resolves when the next batch may come; rejects once one has failed. */
  async add(batch: EventBatch<Events>): Promise<void> {
    const chunk = this.#chunk++;
    this.#reject(batch.malformed);
    if (batch.n === 0) return;
    await this.#send(batch, this.#key === null ? null : { ...this.#key, chunk });
  }

  async #send(batch: EventBatch<Events | null>, key: BatchKey | null): Promise<void> {
    this.#submitted = true;
    for (;;) {
      while (this.#underWay >= UNDER_WAY_MAX && this.#failure === null) await this.#change();
      if (this.#failure !== null) throw this.#failure;
      const overloaded = this.#start(batch, key);
      if (overloaded === null) return;
      await new Promise<void>((resolve) => {
        this.#timers.setTimeout(resolve, overloaded.retryAfterMs ?? RETRY_MS);
      });
    }
  }

  /** When all is durable: what became of the events. */
  async end(): Promise<EventsAnswer> {
    if (!this.#submitted) await this.#send(NOTHING, null);
    while (this.#underWay > 0) await this.#change();
    if (this.#failure !== null) throw this.#failure;
    return this.#total;
  }

  /** The failure with what was taken before it. */
  async fail(cause: unknown): Promise<HeadraceError> {
    while (this.#underWay > 0) await this.#change();
    const error = asHeadraceError(cause);
    return new HeadraceError(error.code, error.message, {
      cause: error.cause,
      data: { ...this.#total, rejected: undefined },
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    });
  }

  /** @returns the error where the engine refuses for now; the batch is not under way then */
  #start(batch: EventBatch<Events | null>, key: BatchKey | null): HeadraceError | null {
    let overloaded: HeadraceError | null = null;
    let sync = true;
    this.#underWay++;
    const done: Reply<IngestAnswer> = (error, answer) => {
      this.#underWay--;
      if (sync && error?.code === 'overloaded') overloaded = error;
      else if (error !== null) this.#failure ??= error;
      else this.#add(batch, answer as IngestAnswer);
      this.#wake?.();
    };
    try {
      this.#submit(batch.events, key, done);
    } catch (error) {
      done(asHeadraceError(error), null);
    }
    sync = false;
    return overloaded;
  }

  #add(batch: EventBatch<Events | null>, answer: IngestAnswer): void {
    this.#taken(answer);
    const total = this.#total;
    total.position = Math.max(total.position, answer.position);
    total.accepted += answer.accepted;
    total.late += answer.late;
    total.duplicate += answer.duplicate;
    this.#reject(
      answer.rejected.map((rejection) => ({
        ...rejection,
        index: batch.indexes?.[rejection.index] ?? batch.base + rejection.index,
      })),
    );
  }

  #reject(rejected: Rejection[]): void {
    const { rejected: listed } = this.#total;
    this.#total.rejected_count += rejected.length;
    for (const rejection of rejected) {
      if (listed.length >= REJECTED_LISTED_MAX) return;
      listed.push(rejection);
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }
}
