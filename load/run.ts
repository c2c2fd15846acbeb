/**
 * `make load`: autocannon and the WebSocket driver against the engine that is running, and a table of what they saw.
 * It reads and never writes, so it can be run against an engine that is in use; only loopback addresses are taken.
 */
import { parseArgs } from 'node:util';
import { type HttpLoaded, httpLoad, type Scenario } from './http.ts';
import { wsLoad } from './ws.ts';

const { values: flags } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8787' },
    view: { type: 'string', default: 'airport_delay' },
    ids: { type: 'string', default: 'ORD,ATL,LAX,DFW,PHX,DEN,DTW,MSP,STL,IAH,EWR,SFO,LAS,BOS,MCO,SEA' },
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '8' },
    rate: { type: 'string', default: '5000' },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) {
  process.stdout.write(`Load on a running engine. Options:
  --url URL          engine, on loopback (default http://127.0.0.1:8787)
  --view NAME        view to ask for (default airport_delay)
  --ids A,B,…        entity ids, asked for in turn
  --seconds N        duration of each scenario (default 10)
  --connections N    connections of each scenario (default 8)
  --rate N           requests a second of the WebSocket scenario (default 5000)
`);
  process.exit(0);
}

const url = new URL(flags.url);
if (!['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)) {
  process.stderr.write(`load: ${flags.url} is not a loopback address; load is only sent to this machine.\n`);
  process.exit(2);
}
const entityIds = flags.ids.split(',');
const seconds = Number(flags.seconds);
const connections = Number(flags.connections);

async function clockMs(): Promise<number> {
  const response = await fetch(new URL('/features', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ view: flags.view, entity_id: entityIds[0] }),
  }).catch(() => {
    process.stderr.write(`load: no answer from ${flags.url}. Start the engine first: make run\n`);
    return process.exit(1);
  });
  const answer = (await response.json()) as { as_of?: string; detail?: string };
  if (answer.as_of !== undefined) return Date.parse(answer.as_of);
  process.stderr.write(`load: the engine refused: ${answer.detail}\n`);
  return process.exit(1);
}

const row = (name: string, perSecond: number, ms: number[], failed: number): void => {
  const numbers = [Math.round(perSecond), ...ms.map((value) => value.toFixed(2)), failed];
  process.stdout.write(`${name.padEnd(34)}${numbers.map((value) => String(value).padStart(11)).join('')}\n`);
};

const load = { url: url.origin, connections, seconds, entityIds, view: flags.view, nowMs: await clockMs() };
process.stdout.write(
  `${''.padEnd(34)}${['requests/s', 'p50 ms', 'p95 ms', 'p99 ms', 'failed'].map((name) => name.padStart(11)).join('')}\n`,
);
let failures = 0;
for (const scenario of ['hit', 'miss', 'batch', 'mixed'] satisfies Scenario[]) {
  const loaded: HttpLoaded = await httpLoad(scenario, load);
  failures += loaded.failed;
  const name = {
    hit: 'HTTP hit',
    miss: 'HTTP miss',
    batch: `HTTP batch of ${entityIds.length}`,
    mixed: 'HTTP 80 % hits, 20 % misses',
  }[scenario];
  row(name, loaded.perSecond, [loaded.p50Ms, loaded.p95Ms, loaded.p99Ms], loaded.failed);
}
const ws = await wsLoad({
  url: `${url.origin.replace('http', 'ws')}/ws`,
  connections,
  perSecond: Number(flags.rate),
  seconds,
  entityIds,
  view: flags.view,
});
failures += ws.failed;
for (const [name, histogram] of [
  ['from when due', ws.intended],
  ['from when sent', ws.actual],
] as const) {
  const ms = [50, 95, 99].map((percentile) => histogram.getValueAtPercentile(percentile) / 1000);
  row(`WebSocket get, ${name}`, ws.perSecond, ms, ws.failed);
}
process.exit(failures > 0 ? 1 : 0);
