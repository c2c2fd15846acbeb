/** `headrace watch`: live updates of some entities in the terminal, over a WebSocket. */
import { WebSocket } from 'ws';
import { HeadraceError } from '../errors.ts';
import { webSocketAddress } from './engine-client.ts';
import { cell, deprecation, type Terminal, table } from './terminal.ts';

export interface WatchOptions {
  url: string;
  view?: string;
  version?: string;
  service?: string;
  features?: string[];
  json: boolean;
}

interface Row {
  entity_id: string;
  features: Record<string, unknown>;
  as_of: string;
  position: number;
  revision: number;
}

interface Message {
  type: string;
  rows?: (Row & { error?: { code: string; message: string } })[];
  rejected?: { entity_id: string; code: string; message: string }[];
  view?: string;
  version?: string;
  /** Of what is subscribed: the date from which its version is deprecated. */
  deprecated?: string;
  code?: string | number;
  message?: string;
  /** Of an error: the same request may succeed later. */
  temporary?: boolean;
  retry_after_ms?: number;
  /** Of a goodbye: how long to stay away. */
  after_ms?: number;
}

const RECONNECT_MS_FIRST = 250;
const RECONNECT_MS_MAX = 10_000;

/**
 * Watches until `signal` is aborted; a lost connection is made again with a growing pause, and whole rows are asked for
 * anew, since revisions do not outlive the engine.
 * @throws HeadraceError `bad_request` where the address is none
 * @returns the exit status: 0 when stopped, 1 where the engine refused what was asked or could not be reached at all
 */
export async function watchCommand(
  entityIds: string[],
  options: WatchOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  if (!URL.canParse(options.url) || !/^(ws|http)s?:$/.test(new URL(options.url).protocol)) {
    throw new HeadraceError(
      'bad_request',
      `--url is '${options.url}', which is no address; write it like ws://127.0.0.1:8787/ws`,
    );
  }
  const screen =
    options.json || !terminal.interactive ? new Lines(terminal, options.json) : new Screen(terminal, entityIds);
  const asked = { ...options, url: webSocketAddress(options.url) };
  let pauseMs = RECONNECT_MS_FIRST;
  let everOpen = false;
  while (!signal.aborted) {
    const end = await watchOnce(entityIds, asked, screen, signal);
    if (end.kind === 'stopped') return 0;
    if (end.kind === 'refused' || (!everOpen && !end.opened)) {
      terminal.err(`headrace watch: ${end.message}\n`);
      return 1;
    }
    everOpen = true;
    if (end.subscribed) pauseMs = RECONNECT_MS_FIRST;
    const waitMs = end.afterMs ?? pauseMs;
    terminal.err(`headrace watch: ${end.message} Trying again in ${waitMs} ms.\n`);
    await pause(waitMs, signal);
    pauseMs = Math.min(pauseMs * 2, RECONNECT_MS_MAX);
  }
  return 0;
}

type End =
  | { kind: 'stopped' }
  | { kind: 'refused'; message: string }
  | {
      kind: 'lost';
      opened: boolean;
      subscribed: boolean;
      /** For how long the engine asked to be left alone. */
      afterMs: number | undefined;
      message: string;
    };

function watchOnce(
  entityIds: string[],
  options: WatchOptions,
  screen: Lines | Screen,
  signal: AbortSignal,
): Promise<End> {
  return new Promise((resolve) => {
    const socket = new WebSocket(options.url, 'headrace.v1.json', { handshakeTimeout: 5000 });
    let opened = false;
    let subscribed = false;
    let afterMs: number | undefined;
    const finish = (end: End) => {
      signal.removeEventListener('abort', stop);
      socket.removeAllListeners();
      socket.on('error', () => socket.terminate());
      socket.close();
      resolve(end);
    };
    const lost = (message: string) => finish({ kind: 'lost', opened, subscribed, afterMs, message });
    const stop = () => finish({ kind: 'stopped' });
    signal.addEventListener('abort', stop);
    socket.on('open', () => {
      opened = true;
      const { view, version, service, features } = options;
      socket.send(
        JSON.stringify({ type: 'subscribe', id: 1, entity_ids: entityIds, view, version, service, features }),
      );
    });
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.type === 'error') {
        const text = `${message.message} [${message.code}]`;
        afterMs ??= message.retry_after_ms;
        if (message.temporary) lost(text);
        else finish({ kind: 'refused', message: text });
        return;
      }
      if (message.type === 'goodbye') afterMs = message.after_ms;
      subscribed ||= message.type === 'subscribed';
      const refused = nothingWatched(message);
      if (refused === null) show(message, screen);
      else finish({ kind: 'refused', message: refused });
    });
    socket.on('error', (error) => lost(`No connection to ${options.url} (${error.message}). Is the engine running?`));
    socket.on('close', (code) => lost(`The engine closed the connection (${code}).`));
  });
}

/** Why no entity at all is watched; null: some are, or the message is of something else. */
function nothingWatched({ type, rows = [], rejected = [] }: Message): string | null {
  if (type !== 'subscribed' || rows.length > 0 || rejected.length === 0) return null;
  return rejected.map(reasonOf).join('\n');
}

const reasonOf = (refused: { entity_id: string; code: string; message: string }): string =>
  `${refused.entity_id}: ${refused.message} [${refused.code}]`;

function show(message: Message, screen: Lines | Screen): void {
  if (message.type === 'update') screen.row(message as unknown as Row);
  if (message.type !== 'subscribed') return;
  if (message.deprecated !== undefined) screen.note(deprecation(message));
  for (const row of message.rows ?? []) {
    if (row.error) screen.note(`${row.entity_id}: ${row.error.message} [${row.error.code}]`);
    else screen.row(row);
  }
  for (const refused of message.rejected ?? []) screen.note(reasonOf(refused));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** For pipes and files: a line an update. */
class Lines {
  readonly #terminal: Terminal;
  readonly #json: boolean;

  constructor(terminal: Terminal, json: boolean) {
    this.#terminal = terminal;
    this.#json = json;
  }

  row(row: Row): void {
    if (this.#json) {
      this.#terminal.out(`${JSON.stringify(row)}\n`);
      return;
    }
    const features = Object.entries(row.features).map(([name, value]) => `${name}=${cell(value)}`);
    this.#terminal.out(`${row.as_of} ${row.entity_id} #${row.position} ${features.join(' ')}\n`);
  }

  note(text: string): void {
    this.#terminal.err(`${text}\n`);
  }
}

/** For a terminal: one table, redrawn in place; what the latest update changed is bold. */
class Screen {
  readonly #terminal: Terminal;
  readonly #rows = new Map<string, { row: Row; changed: Set<string> }>();
  readonly #order: string[];
  #notes: string[] = [];
  #updates = 0;
  #scheduled = false;

  constructor(terminal: Terminal, order: string[]) {
    this.#terminal = terminal;
    this.#order = order;
  }

  row(row: Row): void {
    const before = this.#rows.get(row.entity_id)?.row.features;
    const changed = Object.keys(row.features).filter((name) => before && before[name] !== row.features[name]);
    this.#rows.set(row.entity_id, { row, changed: new Set(changed) });
    this.#updates++;
    this.#draw();
  }

  note(text: string): void {
    this.#notes = [...this.#notes.slice(-2), text];
    this.#draw();
  }

  /** At most 20 times a second: a terminal is slower than the engine. */
  #draw(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      this.#terminal.out(`\x1b[H\x1b[2J${this.#text()}`);
    }, 50).unref();
  }

  #text(): string {
    const shown = this.#order.flatMap((id) => this.#rows.get(id) ?? []);
    const names = Object.keys(shown[0]?.row.features ?? {});
    const grid = table([
      ['feature', ...shown.map(({ row }) => row.entity_id)],
      ...names.map((name) => [name, ...shown.map(({ row }) => cell(row.features[name]))]),
    ]).split('\n');
    const lines = grid.map((line, i) => {
      const name = names[i - 1];
      return name !== undefined && shown.some(({ changed }) => changed.has(name)) ? `\x1b[1m${line}\x1b[22m` : line;
    });
    const asOf =
      shown
        .map(({ row }) => row.as_of)
        .sort()
        .at(-1) ?? '';
    return `${lines.join('\n')}\n${asOf}   ${this.#updates} updates   Ctrl-C ends\n${this.#notes.join('\n')}\n`;
  }
}
