/** A WebSocket client that finds the answer to each request, and holds every message to its schema. */
import { Ajv, type ValidateFunction } from 'ajv';
import { WebSocket } from 'ws';
import { SERVER_MESSAGES } from '../../src/wire/messages.ts';

// biome-ignore lint/suspicious/noExplicitAny: each was checked against the schema that says what it holds
export type Message = any;

const ajv = new Ajv({ allowUnionTypes: true });
const checks = new Map<string, ValidateFunction<Message>>(
  Object.entries(SERVER_MESSAGES).map(([name, schema]) => [name, ajv.compile(schema)]),
);

/** Above every deadline that a request here has. */
const ANSWER_MS = 20_000;

interface Waiting {
  resolve: (message: Message) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

interface Wanted extends Waiting {
  wants: (message: Message) => boolean;
}

export class Client {
  readonly ws: WebSocket;
  /** Resolves to the welcome. */
  readonly opened: Promise<Message>;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** What came unasked and was not taken by {@link next}: updates, alerts, errors without id. */
  readonly unasked: Message[] = [];
  readonly #asked = new Map<number | string, Waiting>();
  readonly #wanted = new Set<Wanted>();
  #lastId = 0;

  constructor(url: string, protocols: string[] = ['headrace.v1.json']) {
    this.ws = new WebSocket(url, protocols);
    this.ws.on('error', () => {});
    this.ws.on('message', (data) => this.#received(data.toString()));
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => {
        this.#fail(new Error(`the connection closed with ${code} ${reason}`));
        resolve({ code, reason: reason.toString() });
      });
    });
    this.opened = this.next((message) => message.type === 'welcome');
    this.opened.catch(() => {});
  }

  send(message: object | string): void {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The answer with the id of this request, whichever kind it is. */
  ask(message: object): Promise<Message> {
    const id = (message as { id?: number | string }).id ?? ++this.#lastId;
    if (this.ws.readyState !== WebSocket.OPEN) return Promise.reject(new Error('the connection closed before'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#late(`no answer to ${JSON.stringify(message).slice(0, 200)}`, reject),
        ANSWER_MS,
      );
      this.#asked.set(id, { resolve, reject, timer });
      this.ws.send(JSON.stringify({ ...message, id }), (error) => error && reject(error));
    });
  }

  /** As {@link ask}; fails where the answer is an error. */
  async must(message: object): Promise<Message> {
    const answer = await this.ask(message);
    if (answer.type === 'error') throw new Error(`${answer.message} [${answer.code}]`);
    return answer;
  }

  /** The next unasked message that fits. */
  next(wants: (message: Message) => boolean): Promise<Message> {
    const at = this.unasked.findIndex(wants);
    if (at >= 0) return Promise.resolve(this.unasked.splice(at, 1)[0]);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#late(`no message with ${wants}`, reject), ANSWER_MS);
      this.#wanted.add({ wants, resolve, reject, timer });
    });
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.closed;
  }

  #received(text: string): void {
    const message = JSON.parse(text) as Message;
    const check = checks.get(message.type);
    if (check === undefined || !check(message)) {
      const why = check === undefined ? 'there is no such type' : ajv.errorsText(check.errors);
      this.#fail(new Error(`${text.slice(0, 400)} is not as documented: ${why}`));
      this.ws.terminate();
      return;
    }
    const asked = message.id === undefined ? undefined : this.#asked.get(message.id);
    if (asked !== undefined) {
      this.#asked.delete(message.id);
      clearTimeout(asked.timer);
      asked.resolve(message);
      return;
    }
    for (const wanted of this.#wanted) {
      if (!wanted.wants(message)) continue;
      this.#wanted.delete(wanted);
      clearTimeout(wanted.timer);
      wanted.resolve(message);
      return;
    }
    this.unasked.push(message);
  }

  #late(what: string, reject: (error: Error) => void): void {
    reject(new Error(`${what} within ${ANSWER_MS} ms; unasked came ${JSON.stringify(this.unasked).slice(0, 400)}`));
  }

  #fail(error: Error): void {
    for (const { reject, timer } of [...this.#asked.values(), ...this.#wanted]) {
      clearTimeout(timer);
      reject(error);
    }
    this.#asked.clear();
    this.#wanted.clear();
  }
}
