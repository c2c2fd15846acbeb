import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { StoreThread } from '../../src/store/client.ts';
import { LocalStore } from '../../src/store/local.ts';
import type { Batch, Commit, CommitGroup } from '../../src/store/log-row.ts';
import type { LogState, Store, StoreEvents, StoreOptions } from '../../src/store/store.ts';
import { batchOf, foreign, HOUR, keyOf, newFolder, optionsOf, readLog, removeFolders, T0 } from './material.ts';

type Open = (options: StoreOptions, events: StoreEvents) => Promise<{ store: Store; state: LogState }>;

const IMPLEMENTATIONS: [string, Open][] = [
  ['thread', (options, events) => StoreThread.open(options, events)],
  ['local', async (options, events) => LocalStore.open({ ...options, schedule: setImmediate }, events)],
];

const event = (ts: number, airport = 'ORD') => ({ ts, airport });

class Journal implements StoreEvents {
  readonly groups: CommitGroup[] = [];
  readonly warnings: HeadraceError[] = [];
  readonly failures: HeadraceError[] = [];
  #wake = () => {};

  get commits(): Commit[] {
    return this.groups.flatMap(({ commits }) => commits);
  }

  committed(group: CommitGroup): void {
    this.groups.push(group);
    this.#wake();
  }

  warning(error: HeadraceError): void {
    this.warnings.push(error);
    this.#wake();
  }

  failed(error: HeadraceError): void {
    this.failures.push(error);
    this.#wake();
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const storeOptions = (folder: string, changes: Partial<StoreOptions> = {}): StoreOptions => ({
  ...optionsOf({ folder }),
  commitBytesMax: 1e6,
  ...changes,
});

const coded = (error: unknown, code: string) => error instanceof HeadraceError && error.code === code;

async function refused(promise: Promise<unknown>, code: string): Promise<HeadraceError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(coded(error, code), String(error));
    return error as HeadraceError;
  }
  return assert.unreachable() as never;
}

for (const [name, open] of IMPLEMENTATIONS) {
  const test = suite(`store/store: ${name}`);
  test.after(removeFolders);

  test('batches come back in order with their ids, and not in the turn that brought them', async () => {
    const journal = new Journal();
    const folder = newFolder();
    const { store, state } = await open(storeOptions(folder), journal);
    assert.equal([state.position, state.clock, state.dictionaries], [0, 0, []]);
    const batches = Array.from({ length: 50 }, (_, i) => batchOf([event(T0 + i, `A${i}`), event(T0 + i)]));
    for (const batch of batches) store.append(batch);
    assert.is(journal.groups.length, 0);
    await journal.until(() => journal.commits.length === 50);
    assert.equal(
      journal.commits.map(({ id, answer, added }) => [id, answer!.position, added!.n]),
      batches.map(({ id }, i) => [id, 2 * i + 2, 2]),
    );
    assert.is(journal.groups.at(-1)!.position, 100);
    assert.ok(journal.groups.length < 50, 'what waits is committed together');
    await store.close();
    assert.equal(
      readLog(folder).map(({ airport }) => airport),
      Array.from({ length: 50 }, (_, i) => [`A${i}`, 'ORD']).flat(),
    );
    assert.equal([journal.warnings, journal.failures], [[], []]);
  });

  test('the arrays of a batch are handed over, those of a commit arrive whole', async () => {
    const journal = new Journal();
    const { store } = await open(storeOptions(newFolder()), journal);
    const batch = batchOf([event(T0), event(T0 + HOUR, 'ATL')]);
    store.append(batch);
    assert.equal([batch.timestamps.length, batch.keys[0]!.codes.length], [0, 0]);
    await journal.until(() => journal.commits.length === 1);
    const { columns, touched, schema } = journal.commits[0]!.added!;
    assert.is(columns.byteLength, 16 + 8 + 16 + 8);
    assert.equal([...touched[0]!.codes], [0, 1]);
    assert.is(schema, 1);
    await store.close();
  });

  test('bytes are in flight until their commit is told', async () => {
    const journal = new Journal();
    const { store } = await open(storeOptions(newFolder()), journal);
    assert.is(store.bytesInFlight, 0);
    store.append(batchOf([event(T0)]));
    const one = store.bytesInFlight;
    assert.ok(one > 0);
    store.append(batchOf([event(T0)]));
    assert.is(store.bytesInFlight, 2 * one);
    await journal.until(() => journal.commits.length === 2);
    assert.is(store.bytesInFlight, 0);
    await store.close();
  });

  test('a transaction takes no more than its bound', async () => {
    const journal = new Journal();
    const { store } = await open(storeOptions(newFolder(), { commitBytesMax: 1 }), journal);
    for (let i = 0; i < 20; i++) store.append(batchOf([event(T0)]));
    await journal.until(() => journal.commits.length === 20);
    assert.is(journal.groups.length, 20);
    await store.close();
  });

  test('questions are answered after the batches that were sent before them', async () => {
    const journal = new Journal();
    const { store } = await open(storeOptions(newFolder()), journal);
    store.append(batchOf([event(T0), event(T0 + HOUR)], { key: keyOf('0:7', 'replay') }));
    assert.equal(await Promise.all([store.clockAt(0), store.clockAt(1), store.clockAt(2)]), [0, T0, T0 + HOUR]);
    const last = { batch: '0:7', chunk: 0, position: 2, accepted: 2 };
    assert.equal(await store.lastBatch('departures', 'replay'), last);
    assert.is(await store.lastBatch('departures', 'nobody'), null);
    const error = await refused(store.clockAt(3), 'unknown_position');
    assert.match(error.message, /position 3 is not in the log/);
    assert.is(await store.appendAlerts(['{"a":1}', '{"b":2}']), 2);
    await store.close();
  });

  test('close commits what is queued; what comes later is refused, and told so', async () => {
    const journal = new Journal();
    const folder = newFolder();
    const { store } = await open(storeOptions(folder), journal);
    for (let i = 0; i < 10; i++) store.append(batchOf([event(T0 + i)]));
    const closed = store.close();
    const afterwards = batchOf([event(T0)]);
    store.append(afterwards);
    assert.is(store.close(), closed);
    await closed;
    assert.equal(
      journal.commits.filter(({ error }) => error === null).map(({ answer }) => answer!.position),
      Array.from({ length: 10 }, (_, i) => i + 1),
    );
    const late = journal.commits.find(({ id }) => id === afterwards.id)!;
    assert.is(late.error?.code, 'store_unavailable');
    await refused(store.clockAt(1), 'store_unavailable');
    assert.is(journal.failures.length, 0);
    const { store: again, state } = await open(storeOptions(folder), new Journal());
    assert.equal([state.position, state.clock], [10, T0 + 9]);
    await again.close();
  });

  test('a log that cannot be opened is refused with its sentence', async () => {
    const folder = newFolder();
    const { store } = await open(storeOptions(folder), new Journal());
    const used = await refused(open(storeOptions(folder), new Journal()), 'store_unavailable');
    assert.match(used.message, /in use by another engine/);
    await store.close();
    const db = foreign(folder);
    db.exec('PRAGMA user_version = 7');
    db.close();
    const newer = await refused(open(storeOptions(folder), new Journal()), 'store_unavailable');
    assert.match(newer.message, /has version 7/);
    await refused(open(storeOptions('/dev/null/log'), new Journal()), 'store_unavailable');
  });

  test('a log that cannot be written answers so and goes on', async () => {
    const journal = new Journal();
    const folder = newFolder();
    const { store } = await open(storeOptions(folder), journal);
    const db = foreign(folder);
    db.exec("CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'no room left'); END");
    store.append(batchOf([event(T0)]));
    await journal.until(() => journal.commits.length === 1);
    assert.is(journal.commits[0]!.error!.code, 'store_unavailable');
    assert.is(store.bytesInFlight, 0);
    db.exec('DROP TRIGGER full');
    db.close();
    store.append(batchOf([event(T0)]));
    await journal.until(() => journal.commits.length === 2);
    assert.is(journal.commits[1]!.answer!.position, 1);
    await store.close();
  });

  test('small rows are merged at rest; where that fails it is told and done later', async () => {
    const journal = new Journal();
    const folder = newFolder();
    const { store } = await open(storeOptions(folder), journal);
    const db = foreign(folder);
    const rows = () => db.prepare('SELECT COUNT(*) AS n FROM log').get()!['n'] as number;
    db.exec("CREATE TRIGGER full BEFORE INSERT ON log WHEN NEW.n > 1 BEGIN SELECT RAISE(ABORT, 'no room left'); END");
    const batches = (n: number): Batch[] => Array.from({ length: n }, () => batchOf([event(T0)]));
    for (const batch of batches(600)) store.append(batch);
    await journal.until(() => journal.warnings.length > 0);
    assert.match(journal.warnings[0]!.message, /no room left/);
    await journal.until(() => journal.commits.length === 600);
    assert.is(rows(), 600);
    db.exec('DROP TRIGGER full');
    store.append(batches(1)[0]!);
    await journal.until(() => journal.commits.length === 601);
    while (rows() > 100) await new Promise((resolve) => setTimeout(resolve, 5));
    db.close();
    assert.is(readLog(folder).length, 601);
    await store.close();
  });

  test.run();
}

const thread = suite('store/store: a thread that ends');
thread.after(removeFolders);

thread('answers all that was in flight, says so once, and refuses the rest', async () => {
  const journal = new Journal();
  const folder = newFolder();
  const { store } = await StoreThread.open(storeOptions(folder), journal);
  store.append(batchOf([event(T0)]));
  await journal.until(() => journal.commits.length === 1);
  // What append() cannot send: a fault in the thread that it does not survive.
  const poison = (store as unknown as { post(request: unknown, transfer: []): void }).post.bind(store);
  const batches = [batchOf([event(T0)]), batchOf([event(T0)])];
  store.append(batches[0]!);
  poison({ type: 'append', batch: null, bytes: 0 }, []);
  store.append(batches[1]!);
  const question = refused(store.clockAt(1), 'store_unavailable');
  await journal.until(() => journal.failures.length === 1);
  assert.equal(
    journal.commits.slice(1).map(({ id, error }) => [id, error?.code]),
    batches.map(({ id }) => [id, 'store_unavailable']),
  );
  assert.is(journal.groups.at(-1)!.position, 1);
  assert.match(journal.failures[0]!.message, /thread of the log has ended .*; restart the engine/);
  assert.is(store.bytesInFlight, 0);
  await question;
  const later = batchOf([event(T0)]);
  store.append(later);
  await journal.until(() => journal.commits.length === 4);
  assert.equal([journal.commits[3]!.id, journal.commits[3]!.error?.code], [later.id, 'store_unavailable']);
  await store.close();
  assert.is(journal.failures.length, 1);
  const { store: again, state } = await StoreThread.open(storeOptions(folder), new Journal());
  assert.is(state.position, 1);
  await again.close();
});

thread.run();
