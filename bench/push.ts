/**
 * From the sending of an event to the arrival of the update that it causes: a thousand watched entities of 300 rows in
 * window, single-event messages at a fixed rate, one producer and one subscriber connection.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client } from '../load/ws-client.ts';
import type { Figure } from './figure.ts';
import { wsUrl } from './flights.ts';
import { here, median, quantile, startNode, stop } from './machine.ts';

const ENTITIES = 1000;
const ROWS = 300;
const SECONDS = 15;
const BATCH = 10_000;
const COMMITS = 500;

const sensor = (i: number): string => `sensor-${i % ENTITIES}`;

async function fill(client: Client): Promise<void> {
  const nowMs = Date.now();
  const total = ENTITIES * ROWS;
  for (let from = 0; from < total; from += BATCH) {
    const events = Array.from({ length: BATCH }, (_, i) => ({
      sensor: sensor(from + i),
      time: nowMs - 600_000 + ((from + i) / total) * 540_000,
      value: Math.sin(from + i),
    }));
    const answer = await client.ask({ type: 'ingest', source: 'readings', events });
    if (answer['accepted'] !== BATCH) throw new Error(`the load failed: ${JSON.stringify(answer)}`);
  }
}

interface Latencies {
  push: number[];
  ack: number[];
  lag: number[];
}

/** Sends on schedule; the value of an event is its number, by which the update (`value_last`) is known again. */
async function drive(producer: Client, subscriber: Client, perSecond: number): Promise<Latencies> {
  const sentAt: number[] = [];
  const latencies: Latencies = { push: [], ack: [], lag: [] };
  subscriber.onPush = (message) => {
    if (message['type'] !== 'update') return;
    const number = (message['features'] as { value_last: number }).value_last;
    const sent = sentAt[number];
    if (sent !== undefined) latencies.push.push(performance.now() - sent);
  };
  const total = perSecond * SECONDS;
  const started = performance.now();
  for (let next = 0; next < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * perSecond));
    for (; next < due; next++) {
      const number = next;
      const now = performance.now();
      sentAt[number] = now;
      latencies.lag.push(now - started - (number / perSecond) * 1000);
      const event = { sensor: sensor(number), time: Date.now(), value: number };
      producer.request({ type: 'ingest', source: 'readings', events: [event] }, () => {
        latencies.ack.push(performance.now() - now);
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return latencies;
}

/** The floor of what is durable: one row a transaction into a SQLite file beside the log, as the log's thread has it. */
function commitMs(folder: string): number {
  const database = new DatabaseSync(join(folder, 'floor.db'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (bytes BLOB)');
  const insert = database.prepare('INSERT INTO t VALUES (?)');
  const row = new Uint8Array(100);
  const times = Array.from({ length: COMMITS }, () => {
    const started = performance.now();
    insert.run(row);
    return performance.now() - started;
  });
  database.close();
  return median(times);
}

export async function push(): Promise<Figure[]> {
  const data = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const options = ['--port', '0', '--data', data, '--log-level', 'warn'];
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
  const engine = await startNode<{ ready: string }>(
    here('../src/main.ts'),
    ['serve', here('push.yaml'), ...options],
    [...stdio],
  );
  try {
    const producer = await Client.connect(wsUrl(engine.hello.ready));
    const subscriber = await Client.connect(wsUrl(engine.hello.ready));
    await fill(producer);
    const ids = Array.from({ length: ENTITIES }, (_, i) => sensor(i));
    await subscriber.ask({ type: 'subscribe', entity_ids: ids, view: 'sensor_state', snapshot: true });
    await drive(producer, subscriber, 200); // warm-up
    const floor = { name: 'bare SQLite commit of one row, p50', value: commitMs(data), unit: 'ms' };
    const figures: Figure[] = [{ question: 'event to push', ...floor }];
    for (const perSecond of [1000, 5000])
      figures.push(...report(perSecond, await drive(producer, subscriber, perSecond)));
    producer.close();
    subscriber.close();
    return figures;
  } finally {
    await stop(engine.child);
    rmSync(data, { recursive: true, force: true });
  }
}

function report(perSecond: number, latencies: Latencies): Figure[] {
  const question = `event to push, ${perSecond} events/s`;
  const target = perSecond === 1000 ? ({ target: { at: 'most', value: 5 } } as const) : {};
  return [
    { question, name: 'sent to update, p50', value: quantile(latencies.push, 0.5), unit: 'ms', ...target },
    { question, name: 'sent to update, p99', value: quantile(latencies.push, 0.99), unit: 'ms' },
    { question, name: 'sent to durable answer, p50', value: quantile(latencies.ack, 0.5), unit: 'ms' },
    { question, name: 'updates ÷ events', value: latencies.push.length / latencies.ack.length, unit: '×' },
    { question, name: 'driver behind its schedule, p99', value: quantile(latencies.lag, 0.99), unit: 'ms' },
  ];
}
