/** A client that keeps what comes, checked against the schemas of the server's messages. */
import { Ajv, type ValidateFunction } from 'ajv';
import * as assert from 'uvu/assert';
import WebSocket from 'ws';
import { SERVER_MESSAGES, type ServerType } from '../../src/wire/messages.ts';

const ajv = new Ajv({ allowUnionTypes: true });
const checks = new Map<string, ValidateFunction>(
  (Object.keys(SERVER_MESSAGES) as ServerType[]).map((name) => [name, ajv.compile(SERVER_MESSAGES[name])]),
);

// biome-ignore lint/suspicious/noExplicitAny: the schemas say what a message holds, and each was checked against its own
export type Message = any;

export class Client {
  readonly ws: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #messages: Message[] = [];
  #waiting: (() => void)[] = [];

  constructor(port: number, protocols: string[] = ['headrace.v1.json']) {
    this.ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, protocols);
    this.ws.on('message', (data) => {
      this.#messages.push(JSON.parse(data.toString()));
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.ws.on('error', () => {});
  }

  /** Opens and reads the welcome. */
  static async open(port: number): Promise<Client> {
    const client = new Client(port);
    assert.is((await client.next()).type, 'welcome');
    return client;
  }

  send(message: object | string): void {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async next(): Promise<Message> {
    while (this.#messages.length === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const message = this.#messages.shift();
    const check = checks.get(message.type);
    assert.ok(check, `unknown message ${message.type}`);
    assert.ok(check(message), `${JSON.stringify(message)}: ${JSON.stringify(check.errors)}`);
    return message;
  }

  async ask(message: object | string): Promise<Message> {
    this.send(message);
    return this.next();
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.closed;
  }
}
