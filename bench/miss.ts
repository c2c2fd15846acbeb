/**
 * A miss (a value computed by a worker over ZeroMQ on a resident window) beside a bare ZeroMQ round trip. The engine's
 * rooms run in this process, so that what is measured is from asking to having the row. Engine, workers
 * and both ends of the bare round trip are pinned to the same core.
 */
import { execFileSync } from 'node:child_process';
import { Piscina } from 'piscina';
import { systemTimers } from '../src/clock.ts';
import { parseConfig } from '../src/config.ts';
import { Core } from '../src/core.ts';
import { PythonSpawner } from '../src/fleet/python-spawner.ts';
import { ZmqLink } from '../src/fleet/zmq-link.ts';
import { createLog } from '../src/observe/log.ts';
import { loadRegistry } from '../src/registry/load.ts';
import { resolveView } from '../src/registry/resolve.ts';
import type { View } from '../src/registry/view.ts';
import { StoreThread } from '../src/store/client.ts';
import type { Figure } from './figure.ts';
import { LOADED } from './flights.ts';
import { zmqRoundTrip } from './floor-zmq.ts';
import { here, median, pin, quantile } from './machine.ts';

const ROUNDS = 5;
const MISSES = 500;
/** Each miss asks for another moment: the past is never cached, and no two share a computation. */
const FIRST_AS_OF = Date.parse('2001-06-20T00:00:00Z') * 1000;
const SECOND = 1_000_000;

interface Bare {
  core: Core;
  view: View;
  close(): Promise<void>;
}

async function openCore(data: string): Promise<Bare> {
  const config = parseConfig({ data, log_level: 'warn' });
  const logger = createLog(config);
  const registry = await loadRegistry(here('../examples/flights/features.yaml'));
  const pool = new Piscina({ maxThreads: 1 });
  const { store, state } = await StoreThread.open(
    {
      folder: data,
      shards: config.shards,
      durability: 'full',
      commitBytesMax: config.commit_bytes_max,
      batchKeyDays: config.batch_key_days,
      alertRing: config.alert_ring,
      sources: [...registry.sources.values()],
      clock: registry.clock,
    },
    { committed: () => {}, warning: () => {}, failed: (error) => logger.error(error) },
  );
  if (state.position < LOADED) throw new Error(`${data} holds ${state.position} flights, not ${LOADED}`);
  const core = new Core({
    config,
    registry,
    timers: systemTimers,
    random: Math.random,
    defer: setImmediate,
    logger,
    store,
    state,
    link: new ZmqLink(),
    spawner: new PythonSpawner('', logger),
    pool,
    rss: () => 0,
  });
  await core.fleet.start();
  await core.fleet.ready;
  return {
    core,
    view: resolveView(registry, '2026-01-01', 'airport_delay', 'v1'),
    async close() {
      await core.fleet.drain();
      core.close();
      await store.close();
      await pool.destroy();
    },
  };
}

/** Microseconds from asking to having the row. */
function missOnce({ core, view }: Bare, entityId: string, asOf: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    core.serve.get(
      { view, select: null, entityIds: [entityId], timeoutMs: 5000, asOf, position: null, minPosition: 0 },
      {
        row: () => resolve((performance.now() - started) * 1000),
        failed: (_, error) => reject(new Error(error.message)),
      },
      () => {},
    );
  });
}

async function misses(bare: Bare, entityId: string, round: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < MISSES; i++) {
    times.push(await missOnce(bare, entityId, FIRST_AS_OF + (round * MISSES + i) * SECOND));
  }
  return times;
}

function pinAll(cores: string): void {
  pin(process.pid, cores);
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(process.pid)], { encoding: 'utf8' });
  for (const child of children.trim().split(/\s+/)) {
    // `ps` itself is among them, and gone by now.
    if (isRunning(Number(child))) pin(Number(child), cores);
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** @param data folder of a log that holds the flights; no other engine has it open */
export async function miss(data: string): Promise<Figure[]> {
  const question = 'miss';
  const bare = await openCore(data);
  const floor: number[] = [];
  const small: number[] = [];
  const large: number[] = [];
  const p99: number[] = [];
  try {
    pinAll('0');
    for (let round = 0; round <= ROUNDS; round++) {
      const trips = await zmqRoundTrip(2000);
      const few = await misses(bare, 'GSO', round);
      const many = await misses(bare, 'ORD', round);
      if (round === 0) continue;
      floor.push(median(trips));
      small.push(median(few));
      large.push(median(many));
      p99.push(quantile(few, 0.99));
    }
  } finally {
    pinAll('0,1');
    await bare.close();
  }
  const ratios = (times: number[]) => median(times.map((time, i) => time / floor[i]!));
  const target = { at: 'most', value: 8 } as const;
  return [
    { question, name: 'bare ZeroMQ round trip, p50', value: median(floor), unit: 'µs' },
    { question, name: 'GSO (300 rows in its widest window), p50', value: median(small), unit: 'µs' },
    { question, name: 'GSO, p99', value: median(p99), unit: 'µs' },
    { question, name: 'GSO, p50 ÷ bare', value: ratios(small), unit: '×', target },
    { question, name: 'ORD (6,700 rows in its widest window), p50', value: median(large), unit: 'µs' },
    { question, name: 'ORD, p50 ÷ bare', value: ratios(large), unit: '×', target },
  ];
}
