import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Client } from './client.ts';
import { eventually, isAlive, Lab } from './lab.ts';
import { checkRow, type Known, known, ORACLE_FEATURES, type Reading, Readings, seeded } from './meters.ts';

const test = suite('death of the engine');
const lab = new Lab();

test.after(() => lab.close());

interface Sent {
  batch: number;
  events: Reading[];
  /** Null: the answer never came. */
  position: number | null;
}

const message = ({ batch, events }: Sent) => ({ type: 'ingest', source: 'readings', producer: 'p', batch, events });

/** Sends batch after batch, eight at a time, until the connection is gone. */
async function produce(client: Client, readings: Readings, sent: Sent[]): Promise<void> {
  const lane = async () => {
    for (;;) {
      const one: Sent = { batch: sent.length, events: readings.batch(25), position: null };
      sent.push(one);
      try {
        one.position = (await client.must(message(one))).position;
      } catch (error) {
        assert.match((error as Error).message, 'the connection closed');
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}

/** Sends again, as a producer does after a restart, what had no answer. */
async function retry(client: Client, sent: Sent[]): Promise<void> {
  const unanswered = sent.filter(({ position }) => position === null);
  assert.is(unanswered.length, 8, 'the engine was killed with batches under way');
  for (const one of unanswered) {
    const answer = await client.must(message(one));
    assert.is(answer.accepted + answer.duplicate, one.events.length);
    assert.is(answer.late, 0);
    one.position = answer.position;
  }
}

test('after SIGKILL in mid-ingest all that was acknowledged is there once, and a retry counts nothing twice', async () => {
  const readings = new Readings(seeded(7), 40);
  const sent: Sent[] = [];
  for (const round of [1, 2]) {
    const engine = await lab.engine('data', ['--workers', '2']);
    const before = sent.filter(({ position }) => position !== null).length;
    const client = await lab.client(engine);
    if (round === 2) await retry(client, sent);
    const producing = produce(client, readings, sent);
    await eventually('acknowledged batches', async () => {
      return sent.filter(({ position }) => position !== null).length > before + 100 * round;
    });
    const workers = await engine.workers();
    assert.equal((await engine.end('SIGKILL')).signal, 'SIGKILL');
    await producing;
    await eventually('the end of its workers', async () => workers.every(({ pid }) => !isAlive(pid)), 10_000);
  }
  const engine = await lab.engine('data', ['--workers', '2']);
  const client = await lab.client(engine);
  await retry(client, sent);
  const log: Known[] = [];
  for (const one of sent) {
    const answer = await client.must(message(one));
    assert.is(answer.accepted, 0, `batch ${one.batch} was acknowledged and lost`);
    assert.is(answer.duplicate, one.events.length);
    assert.is(answer.position, one.position);
    log.push(...known(one.events, answer.position));
  }
  assert.is((await engine.get('/readyz')).position, sent.length * 25);
  assert.is(new Set(log.map(({ position }) => position)).size, sent.length * 25);

  const meters = [...new Set(log.map(({ meter }) => meter))];
  const { rows } = await client.must({ type: 'get', entity_ids: meters, features: ORACLE_FEATURES });
  for (const row of rows) checkRow(log, row);

  const other = { ...message(sent[0]!), events: readings.batch(25) };
  assert.is((await client.ask(other)).code, 'batch_conflict');
});

test.run();
