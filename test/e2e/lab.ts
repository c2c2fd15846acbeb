/** Engines as users run them: processes of their own, with real workers, a log on disk and clients over sockets. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
export const METERS = fileURLToPath(new URL('meters.yaml', import.meta.url));

/** Far more than anything here takes; a test that waits longer fails instead of hanging. */
const PATIENCE_MS = 60_000;

/** The promise, or a failure that says what was waited for. */
export function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks again and again until there is an answer; fails after `ms`. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null | undefined | false>,
  ms = PATIENCE_MS,
): Promise<T> {
  const giveUp = performance.now() + ms;
  for (;;) {
    const found = await ask();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > giveUp) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A process that only waits to be reaped counts as gone. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    // No /proc on this system, or gone just now.
    return process.platform !== 'linux';
  }
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A command of the command line, running. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  out = '';
  err = '';

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return within(PATIENCE_MS, `the end after ${signal}`, this.ended);
  }

  /** Once what it has written holds `text`. */
  async wrote(text: string | RegExp, from = 0): Promise<void> {
    const isThere = () => (typeof text === 'string' ? this.out.includes(text, from) : text.test(this.out.slice(from)));
    await eventually(`output with ${text}; it has ${this.out}${this.err}`, async () => {
      if (!isThere() && this.isOver) throw new Error(`it ended without ${text}: ${this.out}${this.err}`);
      return isThere();
    });
  }
}

export interface Worker {
  slot: number;
  pid: number;
  state: string;
  shards: number[];
  restarts: number;
  queue: number;
  in_flight_ms: number | null;
  last_error: string | null;
}

export class Engine extends Running {
  /** `http://127.0.0.1:PORT`, once it is ready. */
  url = '';

  get wsUrl(): string {
    return `${this.url.replace('http', 'ws')}/ws`;
  }

  async ready(): Promise<this> {
    const ready = new Promise<string>((resolve, reject) => {
      this.child.once('message', (message: { ready: string }) => resolve(message.ready));
      this.child.once('close', (code) => reject(new Error(`the engine ended with ${code}: ${this.err}`)));
    });
    this.url = await within(PATIENCE_MS, 'an engine that is ready', ready);
    return this;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the tests look at what it holds
  async get(path: string): Promise<any> {
    return (await fetch(this.url + path)).json();
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.url + path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
  }

  async workers(): Promise<Worker[]> {
    return (await this.get('/fleet')).workers;
  }
}

/** What one test file starts; {@link close} leaves nothing of it behind, whatever happened. */
export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), 'headrace-e2e-'));
  readonly #running: Running[] = [];
  readonly #clients: Client[] = [];
  /** What an engine that is killed leaves in its temporary folder goes with this one. */
  readonly #env = { ...process.env, TMPDIR: this.folder };
  readonly #onExit = () => {
    this.#kill();
    this.#remove();
  };

  constructor() {
    process.once('exit', this.#onExit);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** An engine on a free port; it is ready when this resolves. */
  engine(data: string, args: string[] = [], registry: string = METERS): Promise<Engine> {
    const flags = ['--port', '0', '--data', this.path(data), '--log-level', 'warn', ...args];
    const child = fork(MAIN, ['serve', registry, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
      env: this.#env,
    });
    return this.#add(new Engine(child)).ready();
  }

  /** A port that nobody listens on just now. */
  async freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  /** Any command; it may still run when this returns. */
  start(args: string[]): Running {
    return this.#add(
      new Running(spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: this.#env })),
    );
  }

  /** Any command that ends by itself. */
  async run(args: string[]): Promise<{ code: number | null; out: string; err: string }> {
    const running = this.start(args);
    const { code } = await within(PATIENCE_MS, `the end of ${args.join(' ')}`, running.ended);
    return { code, out: running.out, err: running.err };
  }

  async client(engine: Engine): Promise<Client> {
    const client = new Client(engine.wsUrl);
    this.#clients.push(client);
    await client.opened;
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.ws.terminate();
    this.#kill();
    await Promise.all(this.#running.map(({ ended }) => ended));
    process.removeListener('exit', this.#onExit);
    this.#remove();
  }

  #add<T extends Running>(running: T): T {
    this.#running.push(running);
    return running;
  }

  #remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #kill(): void {
    for (const running of this.#running) if (!running.isOver) running.child.kill('SIGKILL');
  }
}
