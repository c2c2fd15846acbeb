/**
 * An example as `make run` starts it: the engine with its file loaded, and a replay of what follows as live events.
 *
 * These are two commands anyone could start by hand, `headrace serve` and `headrace replay`. Both are ended by SIGTERM or
 * Ctrl-C, or when the engine ends by itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Flags {
  port: string;
  data: string;
  /** Event time over real time, as text; `0`: no replay. */
  replay: string;
}

export interface Example {
  registry: string;
  source: string;
  /** The Parquet file of its events. */
  file: string;
  /** Events up to and including this are loaded, those after it replayed. */
  loadedUntil: string;
  replayedUntil: string;
  /** What to say once the engine is ready; `http` and `ws` are the ends of commands that go to it. */
  hello(url: string, flags: { http: string; ws: string; speed: number }): string;
}

/** Longest wait for a child after it was told to end; then it is killed. */
const END_MS = 9500;

const HEADRACE = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export function runExample(example: Example, flags: Flags): void {
  const speed = Number(flags.replay);
  if (!Number.isFinite(speed) || speed < 0) {
    process.stderr.write(
      `REPLAY is '${flags.replay}'; it takes a speed such as 600 (times real time), or 0 for no replay.\n`,
    );
    process.exit(2);
  }
  const children: ChildProcess[] = [];
  let ending = false;

  const start = (args: string[], ipc: boolean): ChildProcess => {
    const child = spawn(process.execPath, [HEADRACE, ...args], {
      stdio: ['inherit', 'inherit', 'inherit', ipc ? 'ipc' : 'ignore'],
    });
    children.push(child);
    child.on('exit', (code, signal) => {
      if (ending) return;
      const how = signal === null ? `with status ${code}` : `by ${signal}`;
      const then = child === engine ? '' : '; the engine goes on without it';
      process.stderr.write(`headrace ${args[0]} has ended ${how}${then}.\n`);
      if (child === engine) void end(code ?? 1);
    });
    return child;
  };

  /** Ends the replay first, so that its last batch is answered, then the engine. */
  const end = async (status: number): Promise<void> => {
    if (ending) return;
    ending = true;
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
      child.kill('SIGTERM');
      await once(child, 'exit');
      clearTimeout(timer);
    }
    process.exit(status);
  };

  process.on('SIGINT', () => void end(0));
  process.on('SIGTERM', () => void end(0));

  const { registry, source, file, loadedUntil, replayedUntil } = example;
  const engine = start(
    [
      ...['serve', registry, '--port', flags.port, '--data', flags.data],
      ...['--load', `${source}=${file}`, '--load-until', loadedUntil],
    ],
    true,
  );
  engine.on('message', (message: { ready: string }) => {
    const url = message.ready;
    const socket = `${url.replace('http', 'ws')}/ws`;
    // The commands find the default port by themselves.
    const elsewhere = (address: string): string => (flags.port === '8787' ? '' : ` --url ${address}`);
    process.stdout.write(`
${example.hello(url, { http: elsewhere(url), ws: elsewhere(socket), speed })}

Ctrl-C ends it.
`);
    if (speed === 0) return;
    const window = ['--after', loadedUntil, '--until', replayedUntil];
    start(['replay', file, '--source', source, ...window, '--speed', flags.replay, '--loop', '--url', socket], false);
  });
}
