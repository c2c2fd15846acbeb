/**
 * `make run`: the engine on three million US flights, and a replay of a week of them as live events.
 *
 * It starts two commands anyone could start by hand, `headrace serve` and `headrace replay`, and ends both when it
 * gets SIGTERM or Ctrl-C, or when the engine ends by itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const LOADED_UNTIL = '2001-06-23T12:00:00Z';
const REPLAYED_UNTIL = '2001-06-30T12:00:00Z';
/** Longest wait for a child after it was told to end; then it is killed. */
const END_MS = 9500;

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const headrace = path('../../src/main.ts');
const flights = path('../../node_modules/vega-datasets/data/flights-3m.parquet');

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '8787' },
    data: { type: 'string', default: '.data' },
    replay: { type: 'string', default: '600' },
  },
});

/** The commands find the default port by themselves. */
const elsewhere = (url: string): string => (flags.port === '8787' ? '' : ` --url ${url}`);

const speed = Number(flags.replay);
if (!Number.isFinite(speed) || speed < 0) {
  process.stderr.write(
    `REPLAY is '${flags.replay}'; it takes a speed such as 600 (times real time), or 0 for no replay.\n`,
  );
  process.exit(2);
}

const children: ChildProcess[] = [];
let ending = false;

function start(args: string[], ipc: boolean): ChildProcess {
  const child = spawn(process.execPath, [headrace, ...args], {
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
}

/** Ends the replay first, so that its last batch is answered, then the engine. */
async function end(status: number): Promise<void> {
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
}

process.on('SIGINT', () => void end(0));
process.on('SIGTERM', () => void end(0));

const engine = start(
  [
    'serve',
    path('features.yaml'),
    '--port',
    flags.port,
    '--data',
    flags.data,
    '--load',
    `departures=${flights}`,
    '--load-until',
    LOADED_UNTIL,
  ],
  true,
);

engine.on('message', (message: { ready: string }) => {
  const url = message.ready;
  process.stdout.write(`
The flights up to ${LOADED_UNTIL} are loaded.${speed > 0 ? ` The week after them comes in at ${speed} × real time.` : ''}

  HTTP       ${url}         (routes: ${url}/openapi.json)
  WebSocket  ${url.replace('http', 'ws')}/ws

Try, in another terminal:

  curl -s ${url}/features -H 'content-type: application/json' -d '{"view":"airport_delay","entity_id":"ORD"}'
  ./headrace watch ORD ATL LAX --view airport_delay${elsewhere(`${url.replace('http', 'ws')}/ws`)}
  ./headrace get ORD --view airport_delay --as-of 2001-03-01T12:00:00Z${elsewhere(url)}

Ctrl-C ends it.
`);
  if (speed === 0) return;
  const feed = `${url.replace('http', 'ws')}/ws`;
  const window = ['--after', LOADED_UNTIL, '--until', REPLAYED_UNTIL];
  start(
    ['replay', flights, '--source', 'departures', ...window, '--speed', flags.replay, '--loop', '--url', feed],
    false,
  );
});
