/**
 * A miss (a value computed by a worker over ZeroMQ on a resident window) beside a bare ZeroMQ round trip. Engine,
 * workers, both ends of the bare round trip and this process are pinned to the same core, so that both are alike.
 */
import { execFileSync } from 'node:child_process';
import { Client } from '../load/ws-client.ts';
import type { Figure } from './figure.ts';
import { type Engine, wsUrl } from './flights.ts';
import { zmqRoundTrip } from './floor-zmq.ts';
import { median, pin, quantile } from './machine.ts';

const ROUNDS = 5;
const GETS = 400;
/** Far more than one as_of, so that no flight is shared and nothing is cached: history is never cached. */
const FIRST_AS_OF = Date.parse('2001-06-20T00:00:00Z');

function pinAll(pid: number, cores: string): void {
  pin(pid, cores);
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  for (const child of children.trim().split(/\s+/)) pin(Number(child), cores);
}

async function misses(
  client: Client,
  entityId: string,
  features: string[] | undefined,
  round: number,
): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < GETS; i++) {
    const started = performance.now();
    const answer = await client.ask({
      type: 'get',
      entity_ids: [entityId],
      view: 'airport_delay',
      features,
      as_of: FIRST_AS_OF + (round * GETS + i) * 1000,
    });
    times.push((performance.now() - started) * 1000);
    const row = (answer['rows'] as { error?: object; cached?: boolean }[] | undefined)?.[0];
    if (row === undefined || row.error !== undefined || row.cached !== false) {
      throw new Error(`not a miss: ${JSON.stringify(answer)}`);
    }
  }
  return times;
}

export async function miss(engine: Engine): Promise<Figure[]> {
  const question = 'miss';
  const client = await Client.connect(wsUrl(engine.url));
  pinAll(engine.pid, '0');
  pin(process.pid, '0');
  const ours: number[] = [];
  const small: number[] = [];
  const bare: number[] = [];
  const p99: number[] = [];
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      const floor = await zmqRoundTrip(2000);
      const large = await misses(client, 'ORD', undefined, round);
      const few = await misses(client, 'BTV', undefined, round);
      if (round === 0) continue;
      bare.push(median(floor));
      ours.push(median(large));
      small.push(median(few));
      p99.push(quantile(large, 0.99));
    }
  } finally {
    pin(process.pid, '0,1');
    pinAll(engine.pid, '0,1');
    client.close();
  }
  return [
    { question, name: 'bare ZeroMQ round trip, p50', value: median(bare), unit: 'µs' },
    { question, name: 'get of a small airport (BTV), all features, p50', value: median(small), unit: 'µs' },
    {
      question,
      name: 'the same ÷ bare',
      value: median(small.map((value, i) => value / bare[i]!)),
      unit: '×',
      target: { at: 'most', value: 8 },
    },
    { question, name: 'get of the largest airport (ORD), all features, p50', value: median(ours), unit: 'µs' },
    { question, name: 'the same, p99', value: median(p99), unit: 'µs' },
    {
      question,
      name: 'the same, p50 ÷ bare',
      value: median(ours.map((value, i) => value / bare[i]!)),
      unit: '×',
      target: { at: 'most', value: 8 },
    },
  ];
}
