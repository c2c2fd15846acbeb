/**
 * Writes the log of the benchmark of many entities: `node bench/fill-entities.ts FOLDER ENTITIES ROWS`.
 *
 * The columns go straight to the log, as batches that ingest would have made of events. Every round each entity has one
 * event, in an order that leaps through all of them, so that no two events of an entity lie close together.
 */
import { loadRegistry } from '../src/registry/load.ts';
import { Log } from '../src/store/log.ts';
import type { Batch } from '../src/store/log-row.ts';
import { here } from './machine.ts';

const BATCH = 65_536;
const START = Date.parse('2026-01-01T00:00:00Z') * 1000;
/** Microseconds between two events: ten million in nine days. */
const PACE = 80_000;
/** Odd and prime to any power of ten, so that multiples of it reach every entity. */
const STRIDE = 7_654_321;

const [folder = '', ...numbers] = process.argv.slice(2);
const [entities = 0, rounds = 0] = numbers.map(Number);
const registry = await loadRegistry(here('entities.yaml'));
const log = new Log({
  folder,
  shards: 64,
  durability: 'normal',
  batchKeyDays: 7,
  alertRing: 100,
  sources: [...registry.sources.values()],
  clock: registry.clock,
});

/** The code that the log gave an entity, by its number; −1: none yet. */
const codes = new Int32Array(entities).fill(-1);

function batchOf(from: number, n: number): Batch {
  const fresh: string[] = [];
  const known = Int32Array.from({ length: n }, (_, i) => {
    const entity = ((from + i) * STRIDE) % entities;
    if (codes[entity]! >= 0) return codes[entity]!;
    // In the first round the log gives codes in the order of events.
    codes[entity] = from + i;
    return -1 - fresh.push(`device-${entity}`);
  });
  const wave = (step: number) => Float64Array.from({ length: n }, (_, i) => Math.sin((from + i) * step));
  return {
    id: 0,
    source: 'readings',
    n,
    index: null,
    timestamps: Float64Array.from({ length: n }, (_, i) => START + (from + i) * PACE),
    keys: [{ codes: known, fresh }],
    fields: [wave(0.1), wave(0.7)],
    rejected: [],
    key: null,
    wall: START,
  };
}

const total = entities * rounds;
for (let from = 0; from < total; ) {
  // No batch reaches into the next round: its entities have their codes only when this one's are written.
  const n = Math.min(BATCH, entities - (from % entities));
  const group = log.commit([batchOf(from, n)]);
  const error = group.commits[0]!.error;
  if (error !== null) throw new Error(error.message);
  from += n;
}
log.close();
