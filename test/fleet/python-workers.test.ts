import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EventClock, systemTimers } from '../../src/clock.ts';
import { type Config, defaultConfig } from '../../src/config.ts';
import { Fleet } from '../../src/fleet/fleet.ts';
import type { Job } from '../../src/fleet/job.ts';
import { PythonSpawner } from '../../src/fleet/python-spawner.ts';
import { ZmqLink } from '../../src/fleet/zmq-link.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import { StoreThread } from '../../src/store/client.ts';
import { Dictionaries } from '../../src/store/dictionaries.ts';
import { batchOf, newFolder, type PlainEvent, removeFolders, SECOND, T0 } from '../store/material.ts';

const REGISTRY = `
project: test
clock: event
entities: { airport: { description: An airport } }
sources:
  departures:
    keys: { airport: origin }
    timestamp: date
    fields: { delay: float, carrier: category }
    lateness: 1d
    retention: 31d
    history: 170d
views:
  airport_delay:
    entity: airport
    ttl: 5m
    versions:
      v1:
        features:
          departures_24h: { type: statistical, source: departures, aggregation: count, window: 24h }
          delay_sum_24h: { type: statistical, source: departures, field: delay, aggregation: sum, window: 24h }
          carrier_last: { type: statistical, source: departures, field: carrier, aggregation: last, window: 24h }
          late: { type: expression, expression: delay_sum_24h > 15 }
`;

interface Answer {
  values: number[];
  strings: (string | null)[];
  position: number;
}

interface Rig {
  fleet: Fleet;
  logged: string[];
  /** Logs events and passes them on; resolves when they are durable. */
  add(events: PlainEvent[]): Promise<void>;
  get(id: string, at?: Job['at']): Promise<Answer>;
  close(): Promise<void>;
}

/** Rigs to be closed after the test, also where it fails. */
const open: Rig[] = [];

/** A log, its thread, a ZeroMQ link and real Python workers. */
async function openRig(folder: string, changes: Partial<Config> = {}): Promise<Rig> {
  const registry = parseRegistry(REGISTRY, 'features.yaml');
  const view = registry.views.get('airport_delay')![0]!;
  const config = { ...defaultConfig(), workers: 2, shards: 8, ...changes };
  const clock = new EventClock();
  const acknowledge = new Map<number, () => void>();
  let closing = false;
  const { store, state } = await StoreThread.open(
    {
      folder,
      shards: config.shards,
      durability: 'normal',
      commitBytesMax: config.commit_bytes_max,
      batchKeyDays: 7,
      alertRing: 1,
      sources: [...registry.sources.values()],
      clock: registry.clock,
    },
    {
      committed: (group) => {
        for (const delta of group.dictionaries) dictionaries.apply(delta);
        for (const { added } of group.commits) clock.advance(added?.clock ?? 0);
        fleet.apply(group, []);
        for (const { id } of group.commits) acknowledge.get(id)!();
      },
      warning: (error) => assert.unreachable(error.message),
      failed: (error) => {
        if (!closing) throw error;
      },
    },
  );
  const dictionaries = new Dictionaries(state.dictionaries);
  const codeOf = (entity: string, id: string) => dictionaries.codeOf(`@${entity}`, id);
  clock.advance(state.clock);
  const logged: string[] = [];
  const note = (fields: object, message: string) => void logged.push(`${JSON.stringify(fields)} ${message}`);
  const logger = { debug: note, info: note, warn: note, error: note };
  const waiting = new Map<Job, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  const fleet = new Fleet({
    config,
    clock,
    timers: systemTimers,
    random: Math.random,
    link: new ZmqLink(),
    spawner: new PythonSpawner('', logger),
    registry,
    schemas: state.schemas,
    log: { path: state.path, shards: state.shards, position: state.position },
    codeOf,
    logger,
    events: {
      computed: (block, jobs) => {
        const width = block.view.features.length;
        for (const [row, job] of jobs.entries()) {
          const values = [...block.values.subarray(row * width, (row + 1) * width)];
          const strings = (block.strings ?? []).flatMap((texts) => (texts === null ? [] : [texts[row]!]));
          waiting.get(job)?.resolve({ values, strings, position: block.position });
        }
      },
      failed: (jobs, error) => {
        for (const job of jobs) waiting.get(job)?.reject(new Error(`${error.code}: ${error.message}`));
      },
      turn: () => {},
      changed: () => {},
    },
  });
  await fleet.start();
  await fleet.ready;
  const rig: Rig = {
    fleet,
    logged,
    add: (events) =>
      new Promise((resolve) => {
        const batch = batchOf(events, { codes: dictionaries });
        acknowledge.set(batch.id, resolve);
        store.append(batch);
      }),
    get: (entityId, at = null) =>
      new Promise((resolve, reject) => {
        const deadlineMs = systemTimers.monotonicMs() + 20_000;
        const job: Job = { view, entityId, code: codeOf('airport', entityId), at, deadlineMs, attempts: 0 };
        waiting.set(job, { resolve, reject });
        fleet.compute([job]);
      }),
    close: async () => {
      closing = true;
      await fleet.drain();
      await store.close();
    },
  };
  open.push(rig);
  return rig;
}

const event = (seconds: number, airport: string, delay: number, carrier: string): PlainEvent => ({
  ts: T0 + seconds * SECOND,
  airport,
  delay,
  carrier,
});

const isAlive = (pid: number): boolean => {
  try {
    // A zombie is as dead as a worker can be.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

const test = suite('fleet/python-workers');

test.after.each(async () => {
  for (const rig of open.splice(0)) await rig.close();
});
test.after(removeFolders);

test('values from the log, from applied events and from history; then all processes are gone', async () => {
  const folder = newFolder();
  const first = await openRig(folder);
  await first.add([event(0, 'ORD', 10, 'AA'), event(1, 'ATL', 1, 'DL'), event(2, 'ORD', 20, 'UA')]);
  assert.equal(await first.get('ORD'), { values: [2, 30, NaN, 1], strings: ['UA'], position: 3 });
  assert.equal(await first.get('ATL'), { values: [1, 1, NaN, 0], strings: ['DL'], position: 3 });
  assert.equal(await first.get('XXX'), { values: [0, 0, NaN, 0], strings: [null], position: 3 });
  const pids = first.fleet.status().workers.map(({ pid }) => pid);
  assert.ok(pids.every(isAlive));
  await open.shift()!.close();
  assert.not.ok(pids.some(isAlive));
  assert.equal(
    first.logged.filter((line) => /Traceback|Error/.test(line)),
    [],
  );

  const second = await openRig(folder);
  assert.equal(await second.get('ORD'), { values: [2, 30, NaN, 1], strings: ['UA'], position: 3 });
  await second.add([event(5, 'ORD', 0.5, 'B6'), event(6, 'LAX', 7, 'ΩΣ')]);
  assert.equal(await second.get('ORD'), { values: [3, 30.5, NaN, 1], strings: ['B6'], position: 5 });
  assert.equal(await second.get('LAX'), { values: [1, 7, NaN, 0], strings: ['ΩΣ'], position: 5 });
  const past = { asOf: T0 + 6 * SECOND, position: 3 };
  assert.equal(await second.get('ORD', past), { values: [2, 30, NaN, 1], strings: ['UA'], position: 3 });
  for (const { state, loaded_rows, usage } of second.fleet.status().workers) {
    assert.is(state, 'ready');
    assert.ok(loaded_rows >= 0 && usage!.rss_bytes > 0);
  }
});

test('workers that are killed under load give no wrong answer, and every request is answered', async () => {
  const rig = await openRig(newFolder());
  const airports = [...Array(40).keys()].map((i) => `A${i}`);
  await rig.add(airports.map((airport, i) => event(0, airport, i, 'AA')));
  const answers: Promise<void>[] = [];
  for (let round = 1; round <= 30; round++) {
    await rig.add(airports.map((airport) => event(round, airport, 1, 'AA')));
    // An acknowledged event is seen by the next get.
    for (const [i, airport] of airports.entries()) {
      answers.push(
        rig.get(airport).then(({ values, position }) => {
          const rounds = position / 40 - 1;
          assert.ok(rounds >= round);
          assert.equal(values.slice(0, 2), [rounds + 1, i + rounds]);
        }),
      );
    }
    if (round === 8) process.kill(rig.fleet.status().workers[0]!.pid, 'SIGKILL');
    if (round === 16) for (const { pid } of rig.fleet.status().workers) process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Promise.all(answers);
  const { ready, workers } = rig.fleet.status();
  assert.ok(ready);
  assert.equal(
    workers.map(({ restarts, last_error }) => [restarts, last_error]),
    [
      [2, 'killed by SIGKILL'],
      [1, 'killed by SIGKILL'],
    ],
  );
});

test('a worker that hangs is replaced, and its request answered by the next', async () => {
  const rig = await openRig(newFolder(), { workers: 1, hang_ms: 300 });
  await rig.add([event(0, 'ORD', 4, 'AA')]);
  await rig.get('ORD');
  const { pid } = rig.fleet.status().workers[0]!;
  process.kill(pid, 'SIGSTOP');
  assert.equal((await rig.get('ORD')).values.slice(0, 2), [1, 4]);
  const [worker] = rig.fleet.status().workers;
  assert.is.not(worker!.pid, pid);
  assert.match(worker!.last_error!, /^hung: /);
});

test('an abort leaves the stack of the hung worker in the log', async () => {
  const rig = await openRig(newFolder(), { workers: 1 });
  process.kill(rig.fleet.status().workers[0]!.pid, 'SIGABRT');
  await rig.get('ORD');
  assert.ok(rig.logged.some((line) => line.includes('Fatal Python error: Aborted')));
  assert.ok(rig.logged.some((line) => line.includes('worker.py')));
});

test('a worker far behind reads the log instead of the events', async () => {
  const rig = await openRig(newFolder(), { workers: 1, frame_bytes_max: 65_536, pending_apply_bytes_max: 65_536 });
  const many = (start: number) => [...Array(1000).keys()].map((i) => event(start + i, `A${i % 10}`, 1, 'AA'));
  for (let i = 0; i < 20; i++) void rig.add(many(i));
  await rig.add([event(2000, 'A0', 1, 'ZZ')]);
  const { values, strings, position } = await rig.get('A0');
  assert.equal([values[0], strings, position], [2001, ['ZZ'], 20_001]);
});

test.run();
