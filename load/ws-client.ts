/** A WebSocket client for load: requests by id, answers as they come, one object a connection. */
import { once } from 'node:events';
import { WebSocket } from 'ws';

export class Client {
  readonly socket: WebSocket;
  readonly #waiting = new Map<number, (message: Record<string, unknown>) => void>();
  #next = 1;
  /** Called for every message that answers no request. */
  onPush: (message: Record<string, unknown>, text: Buffer) => void = () => {};

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => this.#received(data));
  }

  static async connect(url: string): Promise<Client> {
    const socket = new WebSocket(url, 'headrace.v1.json', { perMessageDeflate: false });
    const client = new Client(socket);
    await once(socket, 'open');
    return client;
  }

  #received(data: Buffer): void {
    const message = JSON.parse(data.toString()) as Record<string, unknown>;
    const id = message['id'] as number | undefined;
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (waiting === undefined) {
      this.onPush(message, data);
      return;
    }
    this.#waiting.delete(id!);
    waiting(message);
  }

  /** Sends a request with a fresh id; `done` gets its answer, be it a result or an error. */
  request(message: object, done: (answer: Record<string, unknown>) => void): void {
    const id = this.#next++;
    this.#waiting.set(id, done);
    this.socket.send(JSON.stringify({ ...message, id }));
  }

  ask(message: object): Promise<Record<string, unknown>> {
    return new Promise((resolve) => this.request(message, resolve));
  }

  close(): void {
    this.socket.terminate();
  }
}
