/**
 * Where a thread begins to pay for making a reply's JSON: CPU time that the main thread spends on a reply of n rows, made
 * by itself and made by a Piscina thread from transferred columns. The break-even is the default of `large_reply_bytes`.
 */
import { Piscina } from 'piscina';
import type { View } from '../src/registry/view.ts';
import { Replies } from '../src/serve/replies.ts';
import type { ReplyCollector } from '../src/serve/text-collector.ts';
import { RowWriters } from '../src/values/json.ts';
import { ROW_HEADER, type Row } from '../src/values/row.ts';
import type { Figure } from './figure.ts';
import { median } from './machine.ts';

const FEATURES = 20;
const ROWS = [2, 5, 10, 15, 20, 30, 50, 100, 200, 1000];
const ROUNDS = 6;
const REPLIES = 200;

const view: View = {
  name: 'bench',
  version: 'v1',
  hash: '0'.repeat(16),
  plan: { entity: 'thing', sources: [], features: [], order: [] },
  features: Array.from({ length: FEATURES }, (_, i) => ({ name: `feature_mean_${i}d`, output: 'float64' as const })),
  request: [],
  deprecated: null,
  ttl: 1,
  exact: false,
  updateAgeOnGet: false,
  staleWhileRevalidate: 0,
  history: 1,
  description: '',
};

function makeRow(n: number): Row {
  const slab = new Float64Array(ROW_HEADER + FEATURES);
  for (let i = 0; i < slab.length; i++) slab[i] = i < ROW_HEADER ? 993_384_000_000_000 + i : Math.sin(n * FEATURES + i);
  return { view, entityId: `thing-${n}`, slab, base: 0, strings: null };
}

/** Answers one query for these rows. @returns bytes of the reply */
async function reply(replies: Replies, rows: Row[]): Promise<number> {
  const collector: ReplyCollector = replies.collector(
    view,
    null,
    rows.map((row) => row.entityId),
  );
  rows.forEach((row, i) => {
    collector.row(i, row, 'computed');
  });
  const made = collector.rows();
  return typeof made === 'string' ? Buffer.from(made).length : (await made).length;
}

/** CPU time of the main thread a reply; other threads' time is not in it. */
async function mainThreadUs(replies: Replies, rows: Row[]): Promise<number> {
  const before = process.threadCpuUsage();
  for (let i = 0; i < REPLIES; i++) await reply(replies, rows);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / REPLIES;
}

export async function replies(): Promise<Figure[]> {
  const question = 'large replies';
  const pool = new Piscina({ minThreads: 1, maxThreads: 1 });
  const shared = { pool, writers: new RowWriters(), kept: () => null };
  const here = new Replies({ ...shared, largeReplyBytes: Number.POSITIVE_INFINITY });
  const threaded = new Replies({ ...shared, largeReplyBytes: 0 });
  const figures: Figure[] = [];
  let breakEven = Number.NaN;
  for (const n of ROWS) {
    const rows = Array.from({ length: n }, (_, i) => makeRow(i));
    const costs = { here: [] as number[], threaded: [] as number[] };
    const bytes = await reply(here, rows);
    for (let round = 0; round < ROUNDS; round++) {
      const a = await mainThreadUs(here, rows);
      const b = await mainThreadUs(threaded, rows);
      if (round === 0) continue; // warm-up
      costs.here.push(a);
      costs.threaded.push(b);
    }
    const [main, thread] = [median(costs.here), median(costs.threaded)];
    if (Number.isNaN(breakEven) && thread < main) breakEven = bytes;
    figures.push({ question, name: `${n} rows, ${bytes} bytes: made by the main thread`, value: main, unit: 'µs' });
    figures.push({ question, name: `${n} rows, ${bytes} bytes: made by a thread`, value: thread, unit: 'µs' });
  }
  await pool.destroy();
  return [...figures, { question, name: 'a thread pays from', value: breakEven, unit: 'bytes' }];
}
