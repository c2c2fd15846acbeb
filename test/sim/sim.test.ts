/**
 * The engine's rooms between edges and link under random schedules, held to an oracle.
 *
 * `SIM_SEED=… SIM_SCHEDULES=… npx uvu test/sim '\.test\.ts$'` runs others: schedule i has the seed SIM_SEED + i, and
 * a seed is the same schedule to the last bit on every machine.
 */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runSchedule } from './schedule.ts';

const SEED = Number(process.env['SIM_SEED'] ?? 1);
const SCHEDULES = Number(process.env['SIM_SCHEDULES'] ?? 150);

/** Some hundred logs are made: where there is memory with files in it, no disk need be waited for. */
function fastFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

const test = suite('sim');
let folder = '';

test.before(() => {
  folder = mkdtempSync(join(fastFolder(), 'headrace-sim-'));
});

test.after(() => {
  rmSync(folder, { recursive: true, force: true });
});

test(`random schedules keep every promise (seeds ${SEED} to ${SEED + SCHEDULES - 1})`, async () => {
  process.stdout.write(`\n  SIM_SEED=${SEED} SIM_SCHEDULES=${SCHEDULES}\n`);
  const sum = { events: 0, requests: 0, updates: 0, deaths: 0, reloads: 0 };
  for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
    const totals = await runSchedule(seed, folder);
    for (const name of ['events', 'requests', 'updates', 'deaths', 'reloads'] as const) sum[name] += totals[name];
  }
  process.stdout.write(`  ${JSON.stringify(sum)}\n`);
  // A simulation in which nothing happens would keep every promise too.
  for (const [name, count] of Object.entries(sum)) assert.ok(count > 0, `no ${name} in ${SCHEDULES} schedules`);
});

test.run();
