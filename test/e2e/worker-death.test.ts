import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client, Message } from './client.ts';
import { type Engine, eventually, isAlive, Lab, type Worker } from './lab.ts';
import { checkRow, type Known, known, ORACLE_FEATURES, Readings, seeded } from './meters.ts';

/** Within this long after a death all shards serve again. */
const REPLACED_MS = 4000;
const TIMEOUT_MS = 5000;
const METERS = 200;

const test = suite('deaths of workers');
const lab = new Lab();

test.after(() => lab.close());

/** Gets and ingests side by side, until told to stop; holds all that was served to the oracle in the end. */
class Load {
  readonly log: Known[] = [];
  answers = 0;
  readonly #readings = new Readings(seeded(11), METERS);
  readonly #client: Client;
  readonly #acknowledged = new Map<string, number>();
  readonly #rows: Message[] = [];
  readonly #loops: Promise<void>[] = [];
  #stopped = false;

  constructor(client: Client) {
    this.#client = client;
  }

  async ingest(n: number): Promise<void> {
    const events = this.#readings.batch(n);
    const { position } = await this.#client.must({ type: 'ingest', source: 'readings', events });
    this.log.push(...known(events, position));
    for (const { meter } of events) {
      this.#acknowledged.set(meter, Math.max(position, this.#acknowledged.get(meter) ?? 0));
    }
  }

  start(): void {
    const loop = async (step: () => Promise<void>) => {
      while (!this.#stopped) await step();
    };
    for (let i = 0; i < 4; i++) this.#loops.push(loop(() => this.#get()));
    this.#loops.push(loop(() => this.ingest(20)));
    // Looked at in the end; until then a failure is none that nobody handles.
    for (const running of this.#loops) running.catch(() => {});
  }

  /** No answer is missing, late, an error or wrong. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    for (const row of this.#rows) checkRow(this.log, row);
  }

  async #get(): Promise<void> {
    const ids = [...new Set(Array.from({ length: 10 }, () => this.#readings.anyMeter()))];
    const least = ids.map((meter) => this.#acknowledged.get(meter) ?? 0);
    const asked = performance.now();
    const question = { type: 'get', entity_ids: ids, features: ORACLE_FEATURES, timeout_ms: TIMEOUT_MS };
    const { rows } = await this.#client.must(question);
    // A second for the way there and back on a busy machine.
    assert.ok(performance.now() - asked < TIMEOUT_MS + 1000, 'an answer came after its deadline');
    rows.forEach((row: Message, i: number) => {
      assert.is(row.error, undefined, JSON.stringify(row));
      assert.is.not(row.stale, true, JSON.stringify(row));
      assert.ok(row.position >= least[i]!, `${row.entity_id} at ${row.position}, acknowledged was ${least[i]}`);
    });
    this.#rows.push(...rows);
    this.answers++;
  }
}

/** All shards have owners that are ready, and none of these is `dead`. */
function replaced(engine: Engine, dead: number): Promise<Worker[]> {
  return eventually(`a fleet without ${dead}`, async () => {
    const workers = await engine.workers();
    return workers.every(({ pid, state }) => pid !== dead && state === 'ready') && workers;
  });
}

test('a killed worker is replaced, and what was asked meanwhile is answered right and in time', async () => {
  const engine = await lab.engine('killed', ['--workers', '2']);
  const load = new Load(await lab.client(engine));
  await load.ingest(2000);
  const watched = Array.from({ length: METERS }, (_, i) => `m${i}`);
  const watcher = await lab.client(engine);
  const { rows } = await watcher.must({ type: 'subscribe', entity_ids: watched, features: ORACLE_FEATURES });
  load.start();
  for (const slot of [0, 1]) {
    const answered = load.answers;
    await eventually('load', async () => load.answers > answered + 20);
    const dead = (await engine.workers())[slot]!.pid;
    process.kill(dead, 'SIGKILL');
    const killed = performance.now();
    const workers = await replaced(engine, dead);
    assert.ok(performance.now() - killed < REPLACED_MS, `replaced after ${performance.now() - killed} ms`);
    assert.is(isAlive(dead), false);
    assert.is(workers[slot]!.restarts, 1);
    assert.is(workers.flatMap(({ shards }) => shards).length, 64);
  }
  const answered = load.answers;
  await eventually('load', async () => load.answers > answered + 20);
  await load.stop();

  // Who watches has missed nothing either: the newest of each meter came, and all that came was right.
  const seen = new Map<string, number>(rows.map((row: Message) => [row.entity_id, row.position]));
  const newest = new Map(load.log.toSorted((a, b) => a.position - b.position).map((one) => [one.meter, one.position]));
  while ([...newest].some(([meter, position]) => seen.get(meter)! < position)) {
    const update = await watcher.next(({ type }) => type === 'update');
    checkRow(load.log, update);
    seen.set(update.entity_id, update.position);
  }
});

test('a worker that stands still is replaced, and what it was asked is answered all the same', async () => {
  const engine = await lab.engine('stopped', ['--workers', '2', '--hang-ms', '500']);
  const load = new Load(await lab.client(engine));
  await load.ingest(2000);
  load.start();
  await eventually('load', async () => load.answers > 20);
  const [worker] = await engine.workers();
  process.kill(worker!.pid, 'SIGSTOP');
  const workers = await replaced(engine, worker!.pid);
  assert.is(isAlive(worker!.pid), false);
  assert.match(workers[0]!.last_error ?? '', 'hung');
  const answered = load.answers;
  await eventually('load', async () => load.answers > answered + 20);
  await load.stop();
});

test('without any worker a get waits until its deadline and is told so, and later gets are answered', async () => {
  const engine = await lab.engine('none', ['--workers', '1']);
  const client = await lab.client(engine);
  const load = new Load(client);
  const [worker] = await engine.workers();
  process.kill(worker!.pid, 'SIGSTOP');
  await load.ingest(100);
  const asked = performance.now();
  const question = { type: 'get', entity_ids: ['m1', 'm2'], timeout_ms: 300 };
  const { rows } = await client.must(question);
  assert.ok(performance.now() - asked >= 300);
  for (const { error } of rows) assert.is(error.code, 'unavailable');
  const response = await engine.post('/features', { entity_id: 'm3', timeout_ms: 100 });
  assert.is(response.status, 503);
  assert.ok(Number(response.headers.get('retry-after')) > 0);
  assert.is(((await response.json()) as Message).code, 'unavailable');
  process.kill(worker!.pid, 'SIGCONT');
  const again = await client.must({ ...question, features: ORACLE_FEATURES, timeout_ms: TIMEOUT_MS });
  for (const row of again.rows) checkRow(load.log, row);
});

test.run();
