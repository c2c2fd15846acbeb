/** The store behind its own thread. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { HeadraceError } from '../errors.ts';
import { Desk, revived } from './desk.ts';
import type { LogReply, LogRequest } from './messages.ts';
import type { LogState, StoreEvents, StoreOptions } from './store.ts';

const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url);

export class StoreThread extends Desk {
  readonly #worker: Worker;
  readonly #exited: Promise<unknown>;
  #closed = false;

  /**
   * Opens the log, which is made where there is none.
   *
   * @throws HeadraceError `store_unavailable`
   */
  static async open(options: StoreOptions, events: StoreEvents): Promise<{ store: StoreThread; state: LogState }> {
    const worker = new Worker(ENTRY, { workerData: options, name: 'log' });
    let first: LogReply;
    try {
      [first] = (await once(worker, 'message')) as [LogReply];
    } catch (error) {
      throw ended((error as Error).message, error);
    }
    if (first.type === 'opened') return { store: new StoreThread(worker, events, first.state), state: first.state };
    await once(worker, 'exit');
    throw first.type === 'refused' ? revived(first.error) : ended(`it began with ${first.type}`);
  }

  private constructor(worker: Worker, events: StoreEvents, state: LogState) {
    super(events, state.position);
    this.#worker = worker;
    let cause: Error | undefined;
    worker.on('message', (reply: LogReply) => this.receive(reply));
    worker.on('error', (error: Error) => {
      cause = error;
    });
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (code) => {
        // The thread may be gone in the very turn that brings its answer to `close`.
        const asked = this.#closed || (this.closing && code === 0);
        if (!asked) this.fail(ended(cause?.message ?? `exit code ${code}`, cause));
        resolve(code);
      });
    });
  }

  protected override post(request: LogRequest, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(request, transfer);
  }

  protected override async ended(): Promise<void> {
    this.#closed = true;
    await this.#exited;
  }
}

function ended(why: string, cause?: unknown): HeadraceError {
  return new HeadraceError('store_unavailable', `The thread of the log has ended (${why}); restart the engine.`, {
    cause,
  });
}
