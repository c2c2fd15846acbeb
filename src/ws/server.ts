/** The WebSocket edge: takes upgrades at /ws, keeps the sessions, drains them. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { HeadraceError } from '../errors.ts';
import { problemText } from '../wire/problem.ts';
import { dispatch } from './dispatch.ts';
import { Session, type SessionContext } from './session.ts';

export const WS_PATH = '/ws';
export const SUBPROTOCOL = 'headrace.v1.json';

export class WebSocketEdge {
  readonly #context: SessionContext;
  readonly #admit: (request: IncomingMessage) => HeadraceError | null;
  readonly #wss: WebSocketServer;
  readonly #sessions = new Set<Session>();
  #opened = 0;
  #draining = false;
  #whenEmpty: (() => void) | null = null;

  /** @param admit why a request may not come in (see http/host.ts); null: it may */
  constructor(context: SessionContext, admit: (request: IncomingMessage) => HeadraceError | null) {
    this.#context = context;
    this.#admit = admit;
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: context.config.message_bytes_max,
      closeTimeout: context.config.ping_slack_ms,
      // Where none is known the first offered is echoed, so that a browser gets to see the close code.
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : (offered.values().next().value ?? false)),
    };
    this.#wss = new WebSocketServer(options);
  }

  get connections(): number {
    return this.#sessions.size;
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /**
   * Tells every client goodbye and closes each as its requests are answered.
   *
   * @returns when all are gone; those that are not after `timeoutMs` are cut off
   */
  drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    for (const session of [...this.#sessions]) session.drain();
    if (this.#sessions.size === 0) return Promise.resolve();
    const { timers } = this.#context;
    return new Promise((resolve) => {
      const timer = timers.setTimeout(() => {
        for (const session of [...this.#sessions]) session.terminate();
      }, timeoutMs);
      this.#whenEmpty = () => {
        timers.clearTimeout(timer);
        resolve();
      };
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(request);
    if (refusal !== null) {
      socket.on('error', () => socket.destroy());
      const body = problemText(refusal);
      socket.end(
        `HTTP/1.1 ${refusal.http} ${refusal.code}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
          `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      return;
    }
    this.#wss.handleUpgrade(request, socket, head, (ws) => this.#open(ws, socket));
  }

  #refusal(request: IncomingMessage): HeadraceError | null {
    const [path] = (request.url ?? '').split('?');
    if (path !== WS_PATH) return new HeadraceError('not_found', `no WebSocket is at ${path}; it is at ${WS_PATH}`);
    if (this.#draining) return new HeadraceError('draining', 'the server is shutting down; try again soon');
    return this.#admit(request);
  }

  #open(ws: WebSocket, socket: Duplex): void {
    if (ws.protocol !== '' && ws.protocol !== SUBPROTOCOL) {
      ws.on('error', () => {});
      ws.close(4406, `offer ${SUBPROTOCOL}`);
      return;
    }
    this.#opened++;
    const { service, metrics } = this.#context;
    const session: Session = new Session(
      ws,
      socket,
      `${service.epoch}.${this.#opened}`,
      this.#context,
      dispatch,
      () => {
        this.#sessions.delete(session);
        metrics.connected(-1);
        if (this.#sessions.size === 0) this.#whenEmpty?.();
      },
    );
    this.#sessions.add(session);
    metrics.connected(1);
  }
}
