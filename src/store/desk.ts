/** The client's side of the store, whatever carries its requests: what is in flight, and who waits for which answer. */
import type { Micros } from '../clock.ts';
import { type ErrorBody, HeadraceError } from '../errors.ts';
import type { Source } from '../registry/view.ts';
import type { Batch, CommitGroup } from './log-row.ts';
import { batchBuffers, type LogReply, type LogRequest } from './messages.ts';
import type { Defined, LastBatch, NewRegistry, Store, StoreEvents } from './store.ts';

interface Call {
  resolve(value: unknown): void;
  reject(error: HeadraceError): void;
}

export abstract class Desk implements Store {
  readonly #events: StoreEvents;
  /** By number of sending. Batches come back in the order in which they went out. */
  readonly #flight = new Map<number, { id: number; bytes: number }>();
  readonly #calls = new Map<number, Call>();
  #sent = 0;
  #answered = 0;
  #asked = 0;
  #bytesInFlight = 0;
  #position: number;
  #closing: Promise<void> | null = null;
  /** Why nothing more is taken; null while the store is open. */
  #ended: HeadraceError | null = null;

  constructor(events: StoreEvents, position: number) {
    this.#events = events;
    this.#position = position;
  }

  protected abstract post(request: LogRequest, transfer: ArrayBuffer[]): void;

  /** The log is closed: resolves when what carried its requests is gone too. */
  protected abstract ended(): Promise<void>;

  /** It was asked to close. */
  protected get closing(): boolean {
    return this.#closing !== null;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  append(batch: Batch): void {
    const ended = this.#ended;
    if (ended !== null) {
      // In a later turn, as all answers come.
      queueMicrotask(() => this.#events.committed(this.#refusal([batch.id], ended)));
      return;
    }
    const { buffers, bytes } = batchBuffers(batch);
    this.#flight.set(this.#sent++, { id: batch.id, bytes });
    this.#bytesInFlight += bytes;
    this.post({ type: 'append', batch, bytes }, buffers);
  }

  clockAt(position: number): Promise<Micros> {
    return this.#call((id) => ({ type: 'clock_at', id, position }));
  }

  lastBatch(source: string, producer: string): Promise<LastBatch | null> {
    return this.#call((id) => ({ type: 'last_batch', id, source, producer }));
  }

  appendAlerts(bodies: string[]): Promise<number> {
    return this.#call((id) => ({ type: 'append_alerts', id, bodies }));
  }

  define(registry: NewRegistry): Promise<Defined> {
    return this.#call((id) => ({ type: 'define', id, registry }));
  }

  use(sources: Source[]): void {
    if (this.#ended === null) this.post({ type: 'use', sources }, []);
  }

  close(): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    if (this.#ended !== null) {
      this.#closing = this.ended();
    } else {
      const closed = this.#call<void>((id) => ({ type: 'close', id }));
      this.#ended = new HeadraceError('store_unavailable', 'The log is closed; nothing of this batch was taken.');
      this.#closing = closed.then(() => this.ended());
    }
    return this.#closing;
  }

  protected receive(reply: LogReply): void {
    switch (reply.type) {
      case 'committed':
        this.#settle(reply.group);
        break;
      case 'returned':
        this.#take(reply.id)?.resolve(reply.value);
        break;
      case 'raised':
        this.#take(reply.id)?.reject(revived(reply.error));
        break;
      case 'warning':
        this.#events.warning(revived(reply.error));
        break;
    }
  }

  /** The log has ended by itself: answer everyone. */
  protected fail(error: HeadraceError): void {
    this.#ended = error;
    const ids = [...this.#flight.values()].map(({ id }) => id);
    if (ids.length > 0) this.#settle(this.#refusal(ids, error));
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    this.#events.failed(error);
  }

  #call<Value>(request: (id: number) => LogRequest): Promise<Value> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.post(request(id), []);
    });
  }

  #take(id: number): Call | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  #settle(group: CommitGroup): void {
    for (let i = 0; i < group.commits.length; i++) {
      const sent = this.#answered++;
      this.#bytesInFlight -= this.#flight.get(sent)!.bytes;
      this.#flight.delete(sent);
    }
    this.#position = group.position;
    this.#events.committed(group);
  }

  #refusal(ids: number[], { code, message }: HeadraceError): CommitGroup {
    const commits = ids.map((id) => ({ id, answer: null, error: { code, message }, added: null }));
    return { commits, dictionaries: [], position: this.#position, commit_ms: 0 };
  }
}

export function revived({ code, message, data }: ErrorBody): HeadraceError {
  return new HeadraceError(code, message, { data });
}
