/**
 * Ten million entities of three rows each: how long two workers take to have them, and what memory that needs.
 *
 * The log is written once (fill-entities.ts) and kept in the data folder.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import type { WorkerStatus } from '../src/fleet/status.ts';
import type { Figure } from './figure.ts';
import { post } from './flights.ts';
import { here, median, startNode, stop } from './machine.ts';

const ENTITIES = 10_000_000;
const ROWS = 3;
const WORKERS = 2;
const ASKED = 1000;
const GIB = 2 ** 30;

function filled(): string {
  const data = here('../.data/bench-entities');
  if (existsSync(data)) return data;
  const partial = `${data}.partial`;
  rmSync(partial, { recursive: true, force: true });
  execFileSync(process.execPath, [here('fill-entities.ts'), partial, String(ENTITIES), String(ROWS)]);
  renameSync(partial, data);
  return data;
}

/** Resident bytes of a process, now (`VmRSS`) or at most so far (`VmHWM`). */
function resident(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) * 1024;
}

export async function entities(): Promise<Figure[]> {
  const question = 'ten million entities';
  const data = filled();
  const started = performance.now();
  const { child, hello } = await startNode<{ ready: string }>(
    here('../src/main.ts'),
    [
      ...['serve', here('entities.yaml'), '--data', data, '--workers', String(WORKERS)],
      ...['--port', '0', '--log-level', 'warn'],
    ],
    ['ignore', 'ignore', 'inherit', 'ipc'],
  );
  try {
    const seconds = (performance.now() - started) / 1000;
    const fleet = (await (await fetch(`${hello.ready}/fleet`)).json()) as { workers: WorkerStatus[] };
    const rows = fleet.workers.reduce((sum, worker) => sum + worker.loaded_rows, 0);
    if (rows !== ENTITIES * ROWS) throw new Error(`the workers hold ${rows} rows, not ${ENTITIES * ROWS}`);
    const sum = (field: 'VmRSS' | 'VmHWM') =>
      fleet.workers.reduce((bytes, { pid }) => bytes + resident(pid, field), 0) / GIB;
    const times: number[] = [];
    for (let i = 0; i < ASKED; i++) {
      const asked = performance.now();
      const entity_id = `device-${(i * 7919) % ENTITIES}`;
      const answer = await post(hello.ready, '/features', { view: 'device_state', entity_id });
      times.push((performance.now() - asked) * 1000);
      const count = (answer['features'] as { readings_30d: number }).readings_30d;
      if (count !== ROWS) throw new Error(`${entity_id} has ${count} rows, not ${ROWS}`);
    }
    const atMost = (value: number) => ({ at: 'most', value }) as const;
    return [
      { question, name: 'start to ready, two workers', value: seconds, unit: 's', target: atMost(90) },
      {
        question,
        name: 'memory of the workers when ready',
        value: sum('VmRSS'),
        unit: 'GiB',
        target: atMost(3e9 / GIB),
      },
      { question, name: 'most memory of the workers', value: sum('VmHWM'), unit: 'GiB', target: atMost(3e9 / GIB) },
      { question, name: 'memory of the engine when ready', value: resident(child.pid!, 'VmRSS') / GIB, unit: 'GiB' },
      { question, name: 'most memory of the engine', value: resident(child.pid!, 'VmHWM') / GIB, unit: 'GiB' },
      { question, name: 'first get of an entity over HTTP, p50', value: median(times), unit: 'µs' },
    ];
  } finally {
    await stop(child);
  }
}
