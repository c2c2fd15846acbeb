/** Loading three million flights into an empty folder, and being ready again with that log. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './figure.ts';
import { FLIGHTS, startEngine } from './flights.ts';
import { median } from './machine.ts';

const RESTARTS = 3;
const ALL = 3_000_000;

/** Every flight of the file, not only those before the replayed week. */
export async function start(): Promise<Figure[]> {
  const question = 'load and restart';
  const data = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  try {
    const all = ['--load-until', '2001-07-01T00:00:00Z'];
    const first = await startEngine(data, all);
    await first.close();
    const again: number[] = [];
    for (let i = 0; i < RESTARTS; i++) {
      const engine = await startEngine(data, all);
      again.push(engine.readyMs);
      await engine.close();
    }
    const seconds = first.readyMs / 1000;
    return [
      {
        question,
        name: `load of ${FLIGHTS.split('/').at(-1)}, start to ready`,
        value: seconds,
        unit: 's',
        target: { at: 'most', value: 15 },
      },
      { question, name: 'events loaded', value: ALL / seconds, unit: '/s' },
      {
        question,
        name: 'ready after a restart',
        value: median(again) / 1000,
        unit: 's',
        target: { at: 'most', value: 5 },
      },
    ];
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}
