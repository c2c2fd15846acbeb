import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { settled } from './hand-timers.ts';
import { codesOf, commit, computedCodes, failedCodes, job, makeFleet, type Setup, SHARDS } from './setup.ts';

const test = suite('fleet/deaths');

test('the first restart is immediate, under a fresh identity and fresh leases; the log is read to the head', async () => {
  const { fleet, crew } = await makeFleet({ workers: 1 });
  const first = crew.at(0);
  fleet.apply(commit(100, [5]), []);
  await settled();
  first.exit('exit status 1');
  await settled();
  const second = crew.at(0);
  assert.is.not(second.identity, first.identity);
  assert.is(second.assigned!.position, 105);
  for (const [i, [shard, lease]] of second.assigned!.shards.entries()) {
    assert.is(shard, first.assigned!.shards[i]![0]);
    assert.ok(lease > first.assigned!.shards[i]![1]);
  }
  const [status] = fleet.status().workers;
  assert.equal([status!.restarts, status!.last_error, status!.state], [1, 'exit status 1', 'ready']);
  await fleet.drain();
});

test('jobs in flight are tried once more on the next incarnation; those that waited just go on waiting', async () => {
  const { fleet, crew, told } = await makeFleet({ workers: 1 });
  const inFlight = job(1);
  fleet.compute([inFlight]);
  await settled();
  assert.is(inFlight.sentPosition, 100);
  fleet.compute([job(2)]);
  crew.willing = false;
  crew.at(0).exit('killed by SIGKILL');
  await settled();
  assert.is(inFlight.sentPosition, undefined);
  crew.willing = true;
  crew.at(0).hello();
  await settled();
  assert.equal(crew.at(0).answer().codes, [[2, 1]]);
  assert.equal(computedCodes(told), [2, 1]);
  assert.equal(failedCodes(told), []);
  await fleet.drain();
});

test('a job whose second worker dies too fails as internal', async () => {
  const { fleet, crew, told, timers } = await makeFleet({ workers: 1 });
  fleet.compute([job(1)]);
  await settled();
  crew.at(0).exit('killed by SIGSEGV');
  await settled();
  assert.is(crew.at(0).work.length, 1);
  crew.at(0).exit('killed by SIGSEGV');
  await settled();
  assert.equal(failedCodes(told), [[1, 'internal']]);
  await timers.advance(1000);
  assert.is(crew.at(0).work.length, 0);
  assert.is(told.length, 1);
  await fleet.drain();
});

test('a job does not outlive its deadline on a retry', async () => {
  const { fleet, crew, told, timers } = await makeFleet({ workers: 1 });
  fleet.compute([job(1, { deadlineMs: 300 })]);
  await settled();
  crew.willing = false;
  crew.at(0).exit('killed by SIGKILL');
  await timers.advance(400);
  assert.equal(failedCodes(told), [[1, 'unavailable']]);
  await fleet.drain();
});

test('pauses between restarts are jittered below a bound that doubles; the fifth failure in a row breaks the slot', async () => {
  const { fleet, crew, timers } = await makeFleet({ workers: 1, restart_backoff_ms_max: 1000 });
  const starts: number[] = [];
  for (let i = 0; i < 4; i++) {
    const count = crew.all.length;
    const diedMs = timers.monotonicMs();
    crew.at(0).exit('exit status 1');
    await settled();
    while (crew.all.length === count) await timers.advance(1);
    starts.push(timers.monotonicMs() - diedMs);
    await settled();
  }
  assert.equal(starts, [0, 50, 100, 200]);
  crew.at(0).exit('exit status 1');
  await settled();
  assert.is(fleet.status().workers[0]!.state, 'broken');
  assert.not.ok(fleet.isReady);
  await fleet.drain();
});

async function breakSlot({ crew, timers }: Setup, slot: number): Promise<void> {
  for (let i = 0; i < 5; i++) {
    crew.at(slot).exit(`exit status ${slot}`);
    await timers.advance(1000);
  }
}

test('the fleet has failed once every slot broke before it was ever ready, and not before', async () => {
  const setup = await makeFleet({ workers: 2 }, (crew) => {
    crew.willing = false;
  });
  let why = '';
  void setup.fleet.failed.then(({ message }) => {
    why = message;
  });
  await breakSlot(setup, 0);
  assert.is(why, '');
  await breakSlot(setup, 1);
  assert.is(why, 'no Python worker starts: exit status 1; run make setup, or name another --python.');
  await setup.fleet.drain();
});

test('a fleet that was ready goes on trying, whatever breaks', async () => {
  const setup = await makeFleet({ workers: 1 });
  let failed = false;
  void setup.fleet.failed.then(() => {
    failed = true;
  });
  setup.crew.willing = false;
  await breakSlot(setup, 0);
  assert.is(setup.fleet.status().workers[0]!.state, 'broken');
  assert.not.ok(failed);
  await setup.fleet.drain();
});

test('ten seconds of health forgive earlier failures, also of a worker that is always busy', async () => {
  const { fleet, crew, timers } = await makeFleet({ workers: 1 });
  for (let i = 0; i < 4; i++) {
    crew.at(0).exit('exit status 1');
    await timers.advance(1000);
  }
  fleet.compute([job(1, { deadlineMs: Infinity })]);
  for (let i = 0; i < 20; i++) {
    await timers.advance(500);
    fleet.compute([job(1, { deadlineMs: Infinity })]);
    crew.at(0).answer();
  }
  const count = crew.all.length;
  crew.at(0).exit('exit status 1');
  await settled();
  assert.is(crew.all.length, count + 1);
  assert.is(fleet.status().workers[0]!.state, 'ready');
  crew.at(0).answer();
  await fleet.drain();
});

test("a broken slot's shards go to the others, its jobs too; they return when it comes up again", async () => {
  const setup = await makeFleet({ workers: 2, restart_backoff_ms_max: 1000 });
  const { fleet, crew, timers, told } = setup;
  const kept = crew.at(0).assigned!.shards;
  const [code] = codesOf(setup, 1);
  for (let i = 0; i < 4; i++) {
    crew.at(1).exit('exit status 1');
    await timers.advance(1000);
  }
  crew.willing = false;
  crew.at(1).exit('exit status 1');
  fleet.compute([job(code!)]);
  await settled();
  assert.is(fleet.status().workers[1]!.state, 'broken');
  assert.equal(fleet.status().workers[1]!.shards, []);
  assert.is(crew.at(0).assigned!.shards.length, SHARDS);
  for (const pair of kept) assert.ok(crew.at(0).assigned!.shards.some((other) => `${other}` === `${pair}`));
  crew.at(0).loaded();
  assert.ok(fleet.isReady);
  assert.equal(crew.at(0).answer().codes, [[code]]);
  assert.equal(computedCodes(told), [code]);

  await timers.advance(1000);
  assert.is(fleet.status().workers[1]!.state, 'broken');
  await timers.advance(1000);
  assert.is(fleet.status().workers[1]!.state, 'starting');
  assert.is(crew.at(0).assigned!.shards.length, SHARDS);
  crew.at(1).hello();
  assert.equal(crew.at(0).assigned!.shards, kept);
  assert.is(crew.at(1).assigned!.shards.length, SHARDS - kept.length);
  crew.at(0).loaded();
  crew.at(1).loaded();
  assert.ok(fleet.isReady);

  crew.at(1).exit('exit status 1');
  await settled();
  assert.is(fleet.status().workers[1]!.state, 'broken', 'one more failure without health between');
  await fleet.drain();
});

test('without any live slot jobs wait, and are computed by the first that comes up', async () => {
  const { fleet, crew, timers, told } = await makeFleet({ workers: 1, restart_backoff_ms_max: 100 });
  for (let i = 0; i < 5; i++) {
    crew.at(0).exit('exit status 1');
    await timers.advance(100);
  }
  assert.is(fleet.status().workers[0]!.state, 'broken');
  fleet.compute([job(1), job(2, { deadlineMs: timers.monotonicMs() + 50 })]);
  await timers.advance(200);
  assert.equal(failedCodes(told), [[2, 'unavailable']]);
  assert.equal(crew.at(0).answer().codes, [[1]]);
  await fleet.drain();
});

test('rows under a lease that no longer holds are never handed over; their jobs are tried again', async () => {
  const setup = await makeFleet({ workers: 2, restart_backoff_ms_max: 1000 });
  const { fleet, crew, timers, told } = setup;
  const moved = codesOf(setup, 1)[0]!;
  const own = codesOf(setup, 0)[0]!;
  for (let i = 0; i < 5; i++) {
    crew.at(1).exit('exit status 1');
    await timers.advance(i < 4 ? 1000 : 0);
  }
  // Slot 0 owns all now; while it computes, slot 1 comes back and takes its shards.
  crew.willing = false;
  fleet.compute([own, moved].map((code) => job(code, { deadlineMs: Infinity })));
  await settled();
  const before = new Map(crew.at(0).assigned!.shards);
  await timers.advance(2000);
  crew.at(1).hello();
  crew.at(0).answer({ lease: (code) => before.get(code % SHARDS)! });
  assert.equal(computedCodes(told), [own]);
  crew.at(0).loaded();
  crew.at(1).loaded();
  await settled();
  assert.equal(crew.at(1).answer().codes, [[moved]]);
  assert.equal(computedCodes(told), [own, moved]);
  await fleet.drain();
});

test('rows of a worker that does not own the shard, or is behind the frame, are tried again, but not for ever', async () => {
  const { fleet, crew, told } = await makeFleet({ workers: 1 });
  const worker = crew.at(0);
  fleet.compute([job(1), job(2), job(3)]);
  await settled();
  worker.answer({ lease: (code) => (code === 2 ? 0 : worker.leaseOf(code)) });
  assert.equal(computedCodes(told), [1, 3]);
  await settled();
  worker.answer({ position: 99 });
  await settled();
  assert.equal(failedCodes(told), [[2, 'unavailable']]);
  assert.is(worker.work.length, 0);
  await fleet.drain();
});

test('a value of the past is tried again where the worker has not come that far', async () => {
  const { fleet, crew, told } = await makeFleet({ workers: 1 });
  fleet.compute([job(1, { at: { asOf: 5, position: 98 } })]);
  await settled();
  crew.at(0).answer({ position: 97 });
  await settled();
  assert.is(told.length, 0);
  crew.at(0).answer({ position: 99 });
  assert.equal(computedCodes(told), [1]);
  await fleet.drain();
});

test('frames of a former incarnation change nothing', async () => {
  const { fleet, crew, told } = await makeFleet({ workers: 1 });
  const first = crew.at(0);
  fleet.compute([job(1)]);
  await settled();
  first.exit('killed by SIGKILL');
  await settled();
  first.answer();
  first.hello();
  first.loaded();
  assert.is(told.length, 0);
  crew.at(0).answer();
  assert.equal(computedCodes(told), [1]);
  await fleet.drain();
});

test('a worker whose oldest request is too old is aborted, killed where that does not help, and replaced', async () => {
  const { fleet, crew, timers, told } = await makeFleet({ workers: 1, hang_ms: 2000 }, (crew) => {
    crew.diesOnAbort = false;
  });
  const worker = crew.at(0);
  fleet.compute([job(1, { deadlineMs: Infinity })]);
  await timers.advance(2000);
  assert.equal(worker.signals, []);
  await timers.advance(100);
  assert.equal(worker.signals, ['SIGABRT']);
  worker.answer();
  assert.is(told.length, 0, 'what it says now counts no more');
  await timers.advance(1000);
  assert.equal(worker.signals, ['SIGABRT', 'SIGKILL']);
  const [status] = fleet.status().workers;
  assert.match(status!.last_error!, /hung: its oldest request is 2100 ms old/);
  assert.equal(crew.at(0).answer().codes, [[1]]);
  await fleet.drain();
});

test('an idle worker is never taken for hung, nor one that shows progress behind a frame', async () => {
  const { fleet, crew, timers } = await makeFleet({ workers: 1, hang_ms: 2000 });
  const worker = crew.at(0);
  await timers.advance(60_000);
  fleet.apply(commit(100, [1]), []);
  for (let i = 0; i < 10; i++) {
    await timers.advance(1500);
    worker.say('beat', { loaded: i, total: 10 });
  }
  assert.equal(fleet.status().workers[0]!.loading, { loaded: 9, total: 10 });
  worker.answer();
  assert.equal(fleet.status().workers[0]!.loading, null);
  assert.equal(worker.signals, []);
  await fleet.drain();
});

test('no hello and no progress in loading end a worker; progress keeps it', async () => {
  const { fleet, crew, timers } = await makeFleet({ workers: 1, start_ms: 1000 }, (crew) => {
    crew.willing = false;
  });
  await timers.advance(1100);
  assert.equal(crew.all[0]!.signals, ['SIGABRT']);
  assert.match(fleet.status().workers[0]!.last_error!, /no hello within 1000 ms/);
  const second = crew.at(0);
  assert.is.not(second, crew.all[0]);
  await timers.advance(900);
  second.hello();
  for (let i = 1; i <= 5; i++) {
    await timers.advance(900);
    second.say('beat', { loaded: i, total: 100 });
  }
  assert.equal(fleet.status().workers[0]!.loading, { loaded: 5, total: 100 });
  assert.equal(second.signals, []);
  await timers.advance(1100);
  assert.equal(second.signals, ['SIGABRT']);
  assert.match(fleet.status().workers[0]!.last_error!, /no progress in loading for 1000 ms/);
  await fleet.drain();
});

test('a worker that cannot be reached is replaced', async () => {
  const { fleet, crew, told } = await makeFleet({ workers: 1 });
  crew.cut.add(crew.at(0).identity);
  fleet.compute([job(1)]);
  await settled();
  await settled();
  assert.match(fleet.status().workers[0]!.last_error!, /cannot be reached: Host unreachable/);
  crew.at(0).answer();
  assert.equal(computedCodes(told), [1]);
  await fleet.drain();
});

const talk: [string, RegExp, (setup: Awaited<ReturnType<typeof makeFleet>>) => void][] = [
  [
    'bytes that are no frame',
    /cannot be read/,
    ({ crew }) => crew.handlers!.received(crew.at(0).identity, Uint8Array.of(1)),
  ],
  ['a second hello', /hello twice/, ({ crew }) => crew.at(0).hello()],
  ['a frame that only the engine sends', /type drain/, ({ crew }) => crew.at(0).say('drain', {})],
  [
    'an answer to no frame',
    /frame 77/,
    ({ crew }) => crew.at(0).say('values', { id: 77, position: 1, took_us: 1, groups: [] }),
  ],
  ['an error', /Boom/, ({ crew }) => crew.at(0).say('error', { id: 1, code: 'internal', message: 'Boom' })],
  [
    'an answer of other groups',
    /answered 0 groups/,
    ({ crew }) => crew.at(0).say('values', { id: 1, position: 100, took_us: 1, groups: [] }),
  ],
  ['being ready unasked', /ready unasked/, ({ crew }) => crew.at(0).loaded()],
];

for (const [what, message, say] of talk) {
  test(`a worker is replaced for ${what}, and its jobs are answered by the next`, async () => {
    const setup = await makeFleet({ workers: 1 });
    const { fleet, crew, told } = setup;
    fleet.compute([job(1)]);
    await settled();
    say(setup);
    await settled();
    assert.is(crew.all.length, 2);
    assert.match(fleet.status().workers[0]!.last_error!, message);
    crew.at(0).answer();
    assert.equal(computedCodes(told), [1]);
    await fleet.drain();
  });
}

test.run();
