import { EventClock } from '../../src/clock.ts';
import { type Config, defaultConfig } from '../../src/config.ts';
import type { ErrorBody } from '../../src/errors.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import type { Job } from '../../src/fleet/job.ts';
import type { Registry, View } from '../../src/registry/view.ts';
import type { CommitGroup, DictionaryDelta } from '../../src/store/log-row.ts';
import type { ComputedBlock } from '../../src/values/row.ts';
import { HandTimers, settled } from './hand-timers.ts';
import { PaperCrew } from './paper-workers.ts';

export const SHARDS = 8;

export const view: View = {
  name: 'things',
  version: 'v1',
  hash: '00000000000000aa',
  plan: { entity: 'thing', sources: [], features: [], order: [] },
  features: [
    { name: 'tens', output: 'float64' },
    { name: 'code', output: 'int64' },
    { name: 'odd', output: 'bool' },
    { name: 'name', output: 'string' },
  ],
  request: [],
  deprecated: null,
  ttl: 1e6,
  exact: false,
  updateAgeOnGet: false,
  staleWhileRevalidate: 0,
  history: 1e9,
  description: '',
};

export const otherView: View = { ...view, version: 'v2', hash: '00000000000000bb' };

export const registry: Registry = {
  project: 'test',
  clock: { mode: 'event', sources: null },
  entities: new Map([['thing', { description: '' }]]),
  sources: new Map(),
  views: new Map([['things', [view, otherView]]]),
  services: new Map(),
  path: 'features.yaml',
};

export function job(code: number, changes: Partial<Job> = {}): Job {
  return { view, entityId: `e${code}`, code, at: null, deadlineMs: 5000, attempts: 0, ...changes };
}

/** One transaction that adds batches of the given sizes to a log that ended at `after`. */
export function commit(after: number, sizes: number[], dictionaries: DictionaryDelta[] = []): CommitGroup {
  let position = after;
  const commits = sizes.map((n, id) => {
    position += n;
    const columns = new Uint8Array(8 * n).fill(position & 0xff).buffer;
    const late = n > 2 ? [1] : null;
    const added = {
      source: 's',
      schema: 1,
      n,
      position,
      clock: position,
      newest: position,
      columns,
      late,
      touched: [],
    };
    return { id, answer: null, error: null, added };
  });
  return { commits, dictionaries, position, commit_ms: 1 };
}

export type Told =
  | { what: 'computed'; block: ComputedBlock; jobs: Job[]; live: boolean }
  | { what: 'failed'; jobs: Job[]; error: ErrorBody };

export interface Setup {
  fleet: Fleet;
  crew: PaperCrew;
  timers: HandTimers;
  clock: EventClock;
  told: Told[];
  turns: number;
  changes: number;
  codes: Map<string, number>;
  logged: { level: string; message: string; fields: object }[];
}

/** A fleet on paper: started, but not awaited. */
export async function makeFleet(
  changes: Partial<Config> = {},
  prepare: (crew: PaperCrew) => void = () => {},
): Promise<Setup> {
  const crew = new PaperCrew();
  prepare(crew);
  const timers = new HandTimers();
  const clock = new EventClock();
  const told: Told[] = [];
  const codes = new Map<string, number>();
  const logged: Setup['logged'] = [];
  const log = (level: string) => (fields: object, message: string) => void logged.push({ level, message, fields });
  const fleet = new Fleet({
    config: { ...defaultConfig(), workers: 2, ...changes },
    clock,
    timers,
    random: () => 0.5,
    link: crew,
    spawner: crew,
    registry,
    schemas: { 1: { source: 's', columns: [{ name: '@timestamp', dtype: 'i8' }] } },
    log: { path: '/log.db', shards: SHARDS, position: 100 },
    codeOf: (_, id) => codes.get(id) ?? -1,
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    events: {
      computed: (block, jobs, live) => void told.push({ what: 'computed', block, jobs, live }),
      failed: (jobs, error) => void told.push({ what: 'failed', jobs, error }),
      turn: () => void setup.turns++,
      changed: () => void setup.changes++,
    },
  });
  const setup: Setup = { fleet, crew, timers, clock, told, turns: 0, changes: 0, codes, logged };
  clock.advance(1_000_000);
  await fleet.start();
  await settled();
  return setup;
}

/** A code of a shard that the slot owns now. */
export function codesOf({ fleet }: Setup, slot: number): number[] {
  const { shards } = fleet.status().workers[slot]!;
  return [...shards, ...shards.map((shard) => shard + SHARDS), ...shards.map((shard) => shard + 8 * SHARDS)];
}

export const failedCodes = (told: Told[]) =>
  told.flatMap((one) => (one.what === 'failed' ? one.jobs.map((failed) => [failed.code, one.error.code]) : []));

export const computedCodes = (told: Told[]) =>
  told.flatMap((one) => (one.what === 'computed' ? one.jobs.map((computed) => computed.code) : []));
