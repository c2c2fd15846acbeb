/**
 * A cached get beside its floor: the same driver, the same body, the same number of bytes in the answer, in turns.
 * The server runs on core 0, the driver on core 1.
 */

import { Client } from '../load/ws-client.ts';
import type { Driven as HttpDriven } from './drive-http.ts';
import type { Driven as WsDriven } from './drive-ws.ts';
import type { Figure } from './figure.ts';
import { type Engine, post, wsUrl } from './flights.ts';
import { cpuMs, here, median, pin, startNode, stop } from './machine.ts';

const ROUNDS = 5;
const SECONDS = 3;
const CONNECTIONS = 8;
const BODY = { entity_id: 'ORD', view: 'airport_delay', version: 'v2' };

interface Round {
  perSecond: number;
  cpuUs: number;
}

async function measure(pid: number, driver: string, drive: object): Promise<Round> {
  const before = cpuMs(pid);
  const started = performance.now();
  const { child, hello } = await startDriver<HttpDriven | WsDriven>(driver, drive);
  const cpu = cpuMs(pid) - before;
  const elapsed = (performance.now() - started) / 1000;
  await stop(child);
  if ('failed' in hello && hello.failed > 0) throw new Error(`${hello.failed} requests failed`);
  // The driver's start-up sends nothing; its seconds under load are the given ones.
  const seconds = Math.min(elapsed, (drive as { seconds: number }).seconds);
  return { perSecond: hello.perSecond, cpuUs: (cpu * 1000) / (hello.perSecond * seconds) };
}

async function startDriver<Hello>(driver: string, drive: object) {
  const started = startNode<Hello>(here(driver), [JSON.stringify(drive)]);
  return started;
}

async function beside(question: string, engine: Round[], floor: Round[], least: number): Promise<Figure[]> {
  const rate = (rounds: Round[]) => median(rounds.map((round) => round.perSecond));
  const cpu = (rounds: Round[]) => median(rounds.map((round) => round.cpuUs));
  const ratios = engine.map((round, i) => round.perSecond / floor[i]!.perSecond);
  return [
    { question, name: 'requests', value: rate(engine), unit: '/s' },
    { question, name: 'requests of the floor', value: rate(floor), unit: '/s' },
    { question, name: 'request rate ÷ floor', value: median(ratios), unit: '×', target: { at: 'least', value: least } },
    { question, name: 'CPU a request', value: cpu(engine), unit: 'µs' },
    { question, name: 'CPU a request of the floor', value: cpu(floor), unit: 'µs' },
    { question, name: 'CPU ÷ floor', value: cpu(engine) / cpu(floor), unit: '×' },
  ];
}

export async function httpHit(engine: Engine): Promise<Figure[]> {
  const bytes = Buffer.byteLength(JSON.stringify(await post(engine.url, '/features', BODY)));
  const floor = await startNode<{ port: number }>(here('floor/http.ts'), [String(bytes)]);
  pin(floor.child.pid!, '0');
  const drive = { body: JSON.stringify(BODY), connections: CONNECTIONS, seconds: SECONDS };
  const rounds = { engine: [] as Round[], floor: [] as Round[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const ours = await measure(engine.pid, 'drive-http.ts', { ...drive, url: `${engine.url}/features` });
    const bare = await measure(floor.child.pid!, 'drive-http.ts', {
      ...drive,
      url: `http://127.0.0.1:${floor.hello.port}`,
    });
    if (round === 0) continue; // warm-up
    rounds.engine.push(ours);
    rounds.floor.push(bare);
  }
  await stop(floor.child);
  return beside('cached POST /features', rounds.engine, rounds.floor, 0.6);
}

export async function wsHit(engine: Engine, depth: number): Promise<Figure[]> {
  const request = JSON.stringify({ type: 'get', id: 1, entity_ids: ['ORD'], view: 'airport_delay', version: 'v2' });
  const client = await Client.connect(wsUrl(engine.url));
  const bytes = Buffer.byteLength(
    JSON.stringify(await client.ask({ type: 'get', entity_ids: ['ORD'], view: 'airport_delay', version: 'v2' })),
  );
  client.close();
  const floor = await startNode<{ port: number }>(here('floor/ws.ts'), [String(bytes)]);
  pin(floor.child.pid!, '0');
  const drive = { request, connections: CONNECTIONS, depth, seconds: SECONDS };
  const rounds = { engine: [] as Round[], floor: [] as Round[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const ours = await measure(engine.pid, 'drive-ws.ts', { ...drive, url: wsUrl(engine.url) });
    const bare = await measure(floor.child.pid!, 'drive-ws.ts', {
      ...drive,
      url: `ws://127.0.0.1:${floor.hello.port}`,
    });
    if (round === 0) continue;
    rounds.engine.push(ours);
    rounds.floor.push(bare);
  }
  await stop(floor.child);
  return beside(`cached WebSocket get, depth ${depth}`, rounds.engine, rounds.floor, 0.6);
}
