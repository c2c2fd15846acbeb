import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Registry, View } from '../../src/registry/view.ts';
import type { ReloadHeader } from '../../src/wire/frames.ts';
import { settled } from './hand-timers.ts';
import {
  codesOf,
  commit,
  computedCodes,
  failedCodes,
  job,
  makeFleet,
  otherView,
  SHARDS,
  type Told,
  view,
} from './setup.ts';

type Computed = Extract<Told, { what: 'computed' }>;

const test = suite('fleet/fleet');

test('workers get the registry, then their shards under leases and the head; with the last of them the fleet is ready', async () => {
  const setup = await makeFleet({}, (crew) => {
    crew.willing = false;
  });
  const { fleet, crew } = setup;
  assert.not.ok(fleet.isReady);
  for (const worker of crew.all) worker.hello();
  for (const worker of crew.all) {
    assert.equal(
      worker.frames.map(({ type }) => type),
      ['reload', 'assign'],
    );
    const reload = worker.frames[0]!.header as { plans: object; schemas: object };
    assert.equal(Object.keys(reload.plans), ['00000000000000aa', '00000000000000bb']);
    assert.equal(Object.keys(reload.schemas), ['1']);
    const { log, position, shard_count } = worker.assigned!;
    assert.equal([log, position, shard_count], ['/log.db', 100, SHARDS]);
  }
  const owned = crew.all.flatMap((worker) => worker.assigned!.shards.map(([shard]) => shard));
  assert.equal(
    owned.sort((a, b) => a - b),
    [...Array(SHARDS).keys()],
  );
  crew.at(0).loaded();
  assert.not.ok(fleet.isReady);
  assert.is(fleet.readyWorkers, 1);
  crew.at(1).loaded();
  assert.ok(fleet.isReady);
  await fleet.ready;
  await fleet.drain();
});

test('a row comes back with every type, nulls, times and strings, beside the job that asked', async () => {
  const { fleet, crew, told } = await makeFleet({ workers: 1 });
  const jobs = [job(3), job(13), job(4)];
  fleet.compute(jobs);
  await settled();
  crew.at(0).answer();
  assert.is(told.length, 1);
  const { block, live, jobs: answered } = told[0] as Computed;
  assert.ok(live);
  assert.equal(answered, jobs);
  assert.equal([...block.values], [30, 3, 1, NaN, NaN, NaN, NaN, NaN, 40, 4, 0, NaN]);
  assert.equal(block.strings, [null, null, null, ['e3', null, 'e4']]);
  assert.equal([...block.validUntil], [1e15 + 3, NaN, 1e15 + 4]);
  assert.equal([...block.eventTime], [9e14 + 3, NaN, 9e14 + 4]);
  assert.equal([block.asOf, block.position, block.n], [1_000_000, 100, 3]);
  assert.equal(block.entityIds, ['e3', 'e13', 'e4']);
  await fleet.drain();
});

test('the calls of one turn share a frame; what gathers behind a frame in flight leaves together, grouped by view and moment', async () => {
  const setup = await makeFleet({ workers: 1 });
  const { fleet, crew, clock, told } = setup;
  fleet.compute([job(1)]);
  fleet.compute([job(2)]);
  await settled();
  const worker = crew.at(0);
  assert.equal(
    worker.work.map(({ codes }) => codes),
    [[[1, 2]]],
  );
  const at = { asOf: 500_000, position: 40 };
  fleet.compute([job(3), job(4, { view: otherView }), job(5, { at })]);
  await settled();
  fleet.compute([job(6), job(7, { at: { ...at } })]);
  await settled();
  assert.is(worker.work.length, 1, 'one frame in flight');
  clock.advance(2_000_000);
  worker.answer();
  const [work] = worker.work;
  assert.is(work!.type, 'compute');
  assert.equal(work!.codes, [[3, 6], [4], [5, 7]]);
  assert.equal(
    work!.header.groups.map(({ as_of, position }) => [as_of, position]),
    [
      [2_000_000, null],
      [2_000_000, null],
      [500_000, 40],
    ],
  );
  assert.equal([work!.header.previous, work!.header.position], [100, 100]);
  worker.answer();
  assert.equal(
    told.map((one) => (one as Computed).live),
    [true, true, true, false],
  );
  assert.equal((told[3] as Computed).block.position, 40);
  assert.is(setup.turns, 2, 'one turn a frame');
  await fleet.drain();
});

test('no more rows than allowed ride in a frame; requests go before what is only watched', async () => {
  const { fleet, crew } = await makeFleet({ workers: 1, rows_per_frame_max: 2 });
  fleet.compute([job(1, { deadlineMs: Infinity }), job(2), job(3), job(4)]);
  await settled();
  const worker = crew.at(0);
  assert.equal(worker.answer().codes, [[2, 3]]);
  assert.equal(worker.answer().codes, [[4, 1]]);
  await fleet.drain();
});

test('jobs go to the slot that owns the shard', async () => {
  const setup = await makeFleet();
  const { fleet, crew } = setup;
  const [left, right] = [codesOf(setup, 0), codesOf(setup, 1)];
  fleet.compute([...left, ...right].map((code) => job(code)));
  await settled();
  assert.equal(crew.at(0).work[0]!.codes, [left]);
  assert.equal(crew.at(1).work[0]!.codes, [right]);
  crew.at(0).answer();
  crew.at(1).answer();
  await fleet.drain();
});

test('an entity that has had its first events since it was asked for is computed with its code, by its owner', async () => {
  const setup = await makeFleet();
  const { fleet, crew, codes, told } = setup;
  const owner = setup.fleet.status().workers.find(({ shards }) => shards.includes(0))!.slot;
  const [other] = codesOf(setup, 1 - owner);
  fleet.compute([job(-1, { entityId: 'new' }), job(-1, { entityId: 'never' })]);
  codes.set('new', other!);
  await settled();
  await settled();
  assert.equal(crew.at(owner).answer().codes, [[-1]]);
  assert.equal(crew.at(1 - owner).answer().codes, [[other]]);
  assert.equal(computedCodes(told), [-1, other]);
  await fleet.drain();
});

test('every worker gets the columns as they are, late bits and the new categories, and the owner the watched entities', async () => {
  const setup = await makeFleet();
  const { fleet, crew, clock } = setup;
  const deltas = [
    { name: 's.kind', from: 4, values: ['x'] },
    { name: '@thing', from: 9, values: ['id'] },
  ];
  const group = commit(100, [3, 1], deltas);
  clock.advance(3_000_000);
  const [code] = codesOf(setup, 1);
  fleet.apply(group, [job(code!, { deadlineMs: Infinity })]);
  await settled();
  assert.is(crew.at(0).work.length, 0, 'events that nobody asks about wait for the tick');
  await setup.timers.advance(100);
  for (const slot of [0, 1]) {
    const work = crew.at(slot).answer();
    assert.is(work.type, 'apply');
    assert.equal([work.header.previous, work.header.position], [100, 104]);
    assert.equal(work.header.batches, [
      { schema: 1, position: 103, n: 3, late: [1] },
      { schema: 1, position: 104, n: 1 },
    ]);
    assert.equal(work.header.dictionaries, [deltas[0]]);
    assert.equal(
      work.batches.map((bytes) => Buffer.from(bytes)),
      group.commits.map(({ added }) => Buffer.from(added!.columns)),
    );
    assert.equal(work.codes, slot === 1 ? [[code]] : []);
    if (slot === 1) assert.is(work.header.groups[0]!.as_of, 3_000_000);
  }
  assert.is(fleet.status().position, 104);
  assert.equal(
    fleet.status().workers.map(({ position }) => position),
    [104, 104],
  );
  await fleet.drain();
});

test('events beyond a frame follow in the next; jobs ride with the frame that reaches the head', async () => {
  const { fleet, crew } = await makeFleet({ workers: 1, frame_bytes_max: 80 });
  const worker = crew.at(0);
  const sent = job(1);
  fleet.compute([job(0)]);
  await settled();
  fleet.apply(commit(100, [6]), []);
  fleet.apply(commit(106, [4, 5]), [sent]);
  worker.answer();
  const first = worker.answer();
  assert.equal([first.header.previous, first.header.position, first.codes.length], [100, 110, 0]);
  const second = worker.answer();
  assert.equal([second.header.previous, second.header.position, second.codes], [110, 115, [[1]]]);
  assert.is(sent.sentPosition, 115);
  await fleet.drain();
});

test('too many bytes of events are dropped, and the next frame names the head alone; then events flow again', async () => {
  const { fleet, crew, timers } = await makeFleet({ workers: 1, frame_bytes_max: 800, pending_apply_bytes_max: 100 });
  const worker = crew.at(0);
  fleet.compute([job(0)]);
  await settled();
  fleet.apply(commit(100, [10]), []);
  assert.is(fleet.status().workers[0]!.queue_bytes, 80);
  fleet.apply(commit(110, [10]), [job(1)]);
  fleet.apply(commit(120, [1]), []);
  assert.is(fleet.status().workers[0]!.queue_bytes, 0);
  worker.answer();
  const work = worker.answer();
  assert.equal([work.type, work.header.previous, work.header.position, work.codes], ['compute', 121, 121, [[1]]]);
  fleet.apply(commit(121, [2]), []);
  await timers.advance(100);
  await settled();
  assert.equal([worker.work[0]!.type, worker.work[0]!.header.previous], ['apply', 121]);
  worker.answer();
  await fleet.drain();
});

test('a loading worker gets no events; once ready it is told the head', async () => {
  const { fleet, crew, timers } = await makeFleet({ workers: 1 }, (crew) => {
    crew.willing = false;
  });
  const worker = crew.at(0);
  worker.hello();
  fleet.apply(commit(100, [3]), []);
  await settled();
  assert.is(worker.work.length, 0);
  worker.loaded(100);
  await timers.advance(100);
  const work = worker.answer();
  assert.equal([work.type, work.header.previous, work.header.position, work.codes], ['compute', 103, 103, []]);
  assert.is(worker.work.length, 0);
  await fleet.drain();
});

test('a group that fails spoils no other group of its frame', async () => {
  const { fleet, crew, told } = await makeFleet({ workers: 1 });
  fleet.compute([job(1), job(2, { view: otherView })]);
  await settled();
  crew.at(0).answer({ failing: 0 });
  assert.equal(failedCodes(told), [[1, 'internal']]);
  assert.equal(computedCodes(told), [2]);
  await fleet.drain();
});

test('past pending_jobs_max requests are told overloaded, after the call', async () => {
  const { fleet, crew, told } = await makeFleet({ workers: 1, pending_jobs_max: 2 });
  fleet.compute([job(1), job(2), job(3)]);
  assert.is(told.length, 0);
  await settled();
  assert.equal(failedCodes(told), [[3, 'overloaded']]);
  assert.ok((told[0] as Extract<Told, { what: 'failed' }>).error.retry_after_ms! > 0);
  crew.at(0).answer();
  await fleet.drain();
});

test('jobs whose deadline passes while they wait fail as unavailable', async () => {
  const { fleet, crew, told, timers } = await makeFleet({ workers: 1 }, (crew) => {
    crew.willing = false;
  });
  fleet.compute([job(1, { deadlineMs: 250 }), job(2), job(3, { deadlineMs: Infinity })]);
  await timers.advance(200);
  assert.is(told.length, 0);
  await timers.advance(200);
  assert.equal(failedCodes(told), [[1, 'unavailable']]);
  crew.at(0).hello();
  crew.at(0).loaded();
  assert.equal(crew.at(0).answer().codes, [[2, 3]]);
  await fleet.drain();
});

test('status tells of each worker what GET /fleet shows', async () => {
  const setup = await makeFleet({ workers: 1 });
  const { fleet, crew, timers } = setup;
  fleet.compute([job(1)]);
  await settled();
  fleet.compute([job(2), job(3)]);
  await timers.advance(50);
  const { ready, position, shards, workers } = fleet.status();
  assert.equal([ready, position, shards, workers.length], [true, 100, SHARDS, 1]);
  const { identity, usage, ...worker } = workers[0]!;
  assert.match(identity, /^w0-1-80000000$/);
  assert.is(usage === null || usage.rss_bytes >= 0, true);
  assert.equal(worker, {
    slot: 0,
    pid: 1000,
    state: 'ready',
    shards: [0, 1, 2, 3, 4, 5, 6, 7],
    position: 100,
    loading: null,
    queue: 2,
    queue_bytes: 0,
    in_flight_ms: 50,
    restarts: 0,
    last_error: null,
    loaded_rows: 100,
    computed: 0,
  });
  crew.at(0).answer();
  assert.is(fleet.status().workers[0]!.computed, 1);
  crew.at(0).answer();
  await fleet.drain();
});

test('a drain finishes the requests, fails what is only watched, ends the workers and closes the link', async () => {
  const { fleet, crew, told, timers } = await makeFleet({ workers: 1 });
  const worker = crew.at(0);
  fleet.compute([job(1)]);
  await settled();
  fleet.compute([job(2), job(3, { deadlineMs: Infinity })]);
  const drained = fleet.drain();
  fleet.compute([job(4)]);
  await settled();
  assert.equal(failedCodes(told), [
    [3, 'draining'],
    [4, 'draining'],
  ]);
  worker.answer();
  worker.answer();
  await drained;
  assert.equal(computedCodes(told), [1, 2]);
  assert.is(worker.frames.at(-1)!.type, 'drain');
  assert.equal(worker.signals, []);
  assert.ok(crew.closed);
  assert.is(timers.pending, 0);
});

test('a drain ends after its limit what does not end by itself', async () => {
  const { fleet, crew, told, timers } = await makeFleet({ workers: 2, drain_ms: 500 }, (crew) => {
    crew.willing = false;
  });
  crew.at(0).hello();
  crew.at(0).loaded();
  fleet.compute([job(0), job(1), job(2), job(3)]);
  await settled();
  const drained = fleet.drain();
  await timers.advance(499);
  assert.equal([crew.at(0).signals, crew.at(1).signals], [[], ['SIGKILL']]);
  await timers.advance(1);
  await drained;
  assert.equal(crew.at(0).signals, ['SIGKILL']);
  assert.equal(
    failedCodes(told)
      .map(([code]) => code)
      .sort(),
    [0, 1, 2, 3],
  );
  assert.equal(crew.all.length, 2);
  assert.is(timers.pending, 0);
});

test('a reload goes to every worker before what is computed by it, keeps former plans, and meets new workers at their start', async () => {
  const { fleet, crew } = await makeFleet({ workers: 1 });
  const added: View = { ...view, version: 'v3', hash: '00000000000000cc' };
  const registry = { views: new Map([['things', [view, added]]]), services: new Map(), path: '/project/features.yaml' };
  fleet.compute([job(1)]);
  await settled();
  fleet.reload(registry as unknown as Registry, [otherView], { 7: { source: 's', columns: [] } });
  fleet.compute([job(2, { view: added })]);
  await settled();
  const worker = crew.at(0);
  worker.answer();
  const types = worker.frames.map(({ type }) => type);
  assert.equal(types.slice(-3), ['compute', 'reload', 'compute']);
  const { header } = worker.frames.at(-2)!;
  const { plans, schemas, folder } = header as ReloadHeader;
  assert.equal(Object.keys(plans).sort(), ['00000000000000aa', '00000000000000bb', '00000000000000cc']);
  assert.equal([Object.keys(schemas), folder], [['7'], '/project']);
  worker.exit('killed by SIGKILL');
  await settled();
  assert.is.not(crew.at(0), worker);
  assert.equal(Object.keys((crew.at(0).frames[0]!.header as ReloadHeader).schemas), ['7']);
  crew.at(0).answer();
  await fleet.drain();
});

test.run();
