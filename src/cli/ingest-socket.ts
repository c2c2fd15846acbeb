import { WebSocket } from 'ws';
import type { ServerMessage } from '../wire/messages.ts';
import { EngineError } from './engine-client.ts';

export interface IngestRequest {
  source: string;
  columns: Record<string, unknown[]>;
  producer: string;
  batch: string;
}

type Ingested = ServerMessage<'ingested'>;

const PAUSE_MS_FIRST = 250;
const PAUSE_MS_MAX = 10_000;
/** How long one batch is tried before the engine is given up. */
const GIVE_UP_MS = 300_000;
const ANSWER_MS = 30_000;

/**
 * Sends batches over a WebSocket, one at a time, each until it is answered: a lost connection is made again with growing
 * pauses, and the batch sent again under its key, which makes that harmless.
 */
export class IngestSocket {
  readonly #url: string;
  readonly #signal: AbortSignal;
  readonly #note: (text: string) => void;
  #socket: WebSocket | null = null;
  #nextId = 1;

  /** @param note told when the connection is lost and when it is back */
  constructor(url: string, signal: AbortSignal, note: (text: string) => void) {
    this.#url = url;
    this.#signal = signal;
    this.#note = note;
  }

  /** Rejects with an {@link EngineError} where the engine refuses for good or stays away, or with the signal's reason. */
  async send(request: IngestRequest): Promise<Ingested> {
    const giveUpMs = performance.now() + GIVE_UP_MS;
    let lost = false;
    for (let pauseMs = PAUSE_MS_FIRST; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      try {
        const answer = await this.#once(request);
        if (lost) this.#note('going on');
        return answer;
      } catch (error) {
        if (!(error instanceof EngineError) || !error.temporary || performance.now() > giveUpMs) throw error;
        if (error.retryAfterMs === undefined && !lost) {
          this.#note(`${error.message}; trying again`);
          lost = true;
        }
        await this.pause(error.retryAfterMs ?? pauseMs);
      }
    }
  }

  /** Resolves after a time; rejects with the signal's reason once that is aborted. */
  pause(ms: number): Promise<void> {
    return this.#abortable((resolve) => {
      const timer = setTimeout(resolve, ms);
      return () => clearTimeout(timer);
    });
  }

  close(): void {
    this.#socket?.removeAllListeners();
    this.#socket?.on('error', () => undefined);
    this.#socket?.close();
    this.#socket = null;
  }

  async #once(request: IngestRequest): Promise<Ingested> {
    const socket = await this.#open();
    const id = this.#nextId++;
    return this.#abortable<Ingested>((resolve, reject) => {
      const lost = (why: string): void => {
        this.#socket = null;
        socket.terminate();
        reject(new EngineError(why, true));
      };
      const onMessage = (data: unknown): void => {
        const message = JSON.parse(String(data)) as ServerMessage<'ingested'> | ServerMessage<'error'>;
        if (message.id !== id) return;
        if (message.type === 'ingested') resolve(message);
        else reject(new EngineError(`${message.message} [${message.code}]`, message.temporary, message.retry_after_ms));
      };
      const onClose = (code: number): void => lost(`the engine closed the connection (${code})`);
      const timer = setTimeout(() => lost(`the engine did not answer within ${ANSWER_MS} ms`), ANSWER_MS);
      socket.on('message', onMessage);
      socket.on('close', onClose);
      socket.send(JSON.stringify({ type: 'ingest', id, ...request }));
      return () => {
        clearTimeout(timer);
        socket.off('message', onMessage);
        socket.off('close', onClose);
      };
    });
  }

  /** The connection; a new one where there is none or it is no longer open. */
  #open(): Promise<WebSocket> {
    if (this.#socket?.readyState === WebSocket.OPEN) return Promise.resolve(this.#socket);
    this.close();
    const socket = new WebSocket(this.#url, 'headrace.v1.json', { handshakeTimeout: 5000 });
    this.#socket = socket;
    return this.#abortable((resolve, reject) => {
      const onError = (error: Error): void => {
        reject(new EngineError(`no connection to ${this.#url} (${error.message}); is the engine running?`, true));
      };
      // Errors of an open connection are followed by its close, which tells enough.
      socket.on('error', onError);
      socket.once('open', () => resolve(socket));
      return () => undefined;
    });
  }

  /** A promise that the signal ends too; `start` gives what takes its listeners away. */
  #abortable<T>(start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#signal.aborted) {
        reject(this.#signal.reason);
        return;
      }
      const onAbort = (): void => settle(() => reject(this.#signal.reason));
      const settle = (end: () => void): void => {
        this.#signal.removeEventListener('abort', onAbort);
        clean();
        end();
      };
      this.#signal.addEventListener('abort', onAbort);
      const clean = start(
        (value) => settle(() => resolve(value)),
        (error) => settle(() => reject(error)),
      );
    });
  }
}
