import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Plan } from '../../src/registry/view.ts';
import { StoreThread } from '../../src/store/client.ts';
import { Log } from '../../src/store/log.ts';
import type { CommitGroup } from '../../src/store/log-row.ts';
import { batchOf, foreign, newFolder, optionsOf, readLog, removeFolders, sourceOf, T0 } from './material.ts';
import { writeVersion1 } from './version-1.ts';

const test = suite('store/definitions');
test.after(removeFolders);

const plan = (retention: number): Plan => ({
  entity: 'airport',
  sources: [{ name: 'departures', template: ['', 'origin', ''], timestamp: 'date', fields: [], retention }],
  features: [],
  order: [],
});
const definition = (version: string, hash: string, retention = 1) => ({
  view: 'airport_delay',
  version,
  hash,
  plan: plan(retention),
});

test('a file of version 1 is taken over: its events stay, and it can hold definitions', () => {
  const folder = newFolder();
  writeVersion1(folder);
  const log = new Log(optionsOf({ folder }));
  const { position, shards, definitions } = log.state();
  assert.equal([position, shards, definitions], [1, 4, []]);
  log.commit([batchOf([{ ts: T0 + 1, airport: 'ORD', delay: 5, carrier: 'UA' }])]);
  log.define({ sources: [], definitions: [definition('v1', 'aa')] });
  log.close();
  const delays = readLog(folder).map(({ airport, delay, carrier }) => [airport, delay, carrier]);
  assert.equal(delays, [
    ['ORD', 30, 'UA'],
    ['ORD', 5, 'UA'],
  ]);
  const db = foreign(folder);
  assert.is(db.prepare('PRAGMA user_version').get()!['user_version'], 2);
  db.close();
  const again = new Log(optionsOf({ folder }));
  assert.equal(again.state().definitions, [{ ...definition('v1', 'aa'), position: 2 }]);
  again.close();
});

test('the newest definition of each version counts, with the position from which it holds', () => {
  const log = new Log(optionsOf());
  log.define({ sources: [], definitions: [definition('v1', 'aa'), definition('v2', 'bb')] });
  log.define({ sources: [], definitions: [definition('v2', 'cc', 2)] });
  log.commit([batchOf([{ ts: T0, airport: 'ORD' }])]);
  assert.is(log.define({ sources: [], definitions: [definition('v1', 'dd', 3)] }).position, 1);
  assert.equal(log.state().definitions, [
    { ...definition('v1', 'dd', 3), position: 1 },
    { ...definition('v2', 'cc', 2), position: 0 },
  ]);
  log.close();
});

test('what cannot be written down changes nothing', () => {
  const folder = newFolder();
  const log = new Log(optionsOf({ folder }));
  const db = foreign(folder);
  db.exec(`CREATE TRIGGER full BEFORE INSERT ON definitions BEGIN SELECT RAISE(ABORT, 'disk full'); END`);
  db.close();
  const sources = [sourceOf('arrivals')];
  assert.throws(() => log.define({ sources, definitions: [definition('v1', 'aa')] }), /disk full.*serves on/);
  const { schemas, definitions } = log.state();
  assert.equal([Object.values(schemas).map(({ source }) => source), definitions], [['departures'], []]);
  assert.is(log.commit([batchOf([{ ts: T0, airport: 'ORD' }])]).commits[0]!.error, null);
  log.close();
});

test('batches before and after a change of the sources are each of their own columns', async () => {
  const groups: CommitGroup[] = [];
  const failures: Error[] = [];
  const { store } = await StoreThread.open(
    { ...optionsOf({ folder: newFolder() }), commitBytesMax: 1e6 },
    { committed: (group) => groups.push(group), warning: (error) => failures.push(error), failed: () => {} },
  );
  const gates = sourceOf('departures', [{ name: 'gate', type: 'int' }]);
  const { schemas } = await store.define({ sources: [gates], definitions: [] });
  assert.equal(schemas[2]!.columns.at(-1), { name: 'gate', dtype: 'f8' });
  const withGate = () => {
    const batch = batchOf([{ ts: T0, airport: 'ORD' }]);
    return { ...batch, fields: [...batch.fields, Float64Array.of(7)] };
  };
  store.append(batchOf([{ ts: T0, airport: 'ORD' }]));
  store.use([gates]);
  store.append(withGate());
  store.use([sourceOf('arrivals')]);
  store.append(withGate());
  await store.close();
  const commits = groups.flatMap((group) => group.commits);
  assert.equal(
    commits.map(({ added, error }) => added?.schema ?? error?.code),
    [1, 2, 'unknown_source'],
  );
  assert.equal(failures, []);
});

test.run();
