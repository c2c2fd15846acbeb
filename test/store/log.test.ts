import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { Dictionaries } from '../../src/store/dictionaries.ts';
import { Log } from '../../src/store/log.ts';
import type { Commit, CommitGroup } from '../../src/store/log-row.ts';
import {
  batchOf,
  DAY,
  foreign,
  HOUR,
  keyOf,
  newFolder,
  optionsOf,
  readLog,
  removeFolders,
  SECOND,
  sourceOf,
  T0,
} from './material.ts';

const test = suite('store/log');
test.after(removeFolders);

const event = (ts: number, airport = 'ORD') => ({ ts, airport });

function opened(changes: Parameters<typeof optionsOf>[0] = {}): {
  log: Log;
  folder: string;
  dictionaries: Dictionaries;
} {
  const folder = changes.folder ?? newFolder();
  const log = new Log(optionsOf({ ...changes, folder }));
  return { log, folder, dictionaries: new Dictionaries(log.state().dictionaries) };
}

function only(group: CommitGroup): Commit {
  assert.is(group.commits.length, 1);
  return group.commits[0]!;
}

test('positions count events, batch after batch', () => {
  const { log, folder } = opened();
  const group = log.commit([batchOf([event(T0, 'ORD'), event(T0, 'ATL')]), batchOf([event(T0 + 1, 'LAX')])]);
  assert.is(group.position, 3);
  assert.equal(
    group.commits.map(({ answer }) => answer),
    [
      { position: 2, accepted: 2, late: 0, duplicate: 0, rejected: [] },
      { position: 3, accepted: 1, late: 0, duplicate: 0, rejected: [] },
    ],
  );
  const added = group.commits[1]!.added!;
  assert.equal([added.position, added.n, added.clock, added.newest], [3, 1, T0 + 1, T0 + 1]);
  assert.equal(
    readLog(folder).map(({ position, airport, ts }) => [position, airport, ts]),
    [
      [1, 'ORD', T0],
      [2, 'ATL', T0],
      [3, 'LAX', T0 + 1],
    ],
  );
  log.close();
});

test('nulls, codes and texts are as they were sent', () => {
  const { log, folder } = opened();
  log.commit([
    batchOf([
      { ts: T0, airport: 'ZÜRICH', delay: -3.5, carrier: 'AA' },
      { ts: T0 + 1, airport: 'ORD', delay: null, carrier: null },
    ]),
  ]);
  log.close();
  assert.equal(
    readLog(folder).map(({ airport, delay, carrier }) => [airport, delay, carrier]),
    [
      ['ZÜRICH', -3.5, 'AA'],
      ['ORD', null, null],
    ],
  );
});

test('an event further ahead than max_ahead is rejected by its index in the request; the others are taken', () => {
  const { log, folder } = opened();
  // Row 0 was rejected at the edge, so that row i of the batch is event i + 1 of the request.
  const batch = batchOf(
    [event(T0), event(T0 + 3 * DAY, 'FAR'), event(T0 + DAY), event(T0 + 2 * DAY), event(T0 + 4 * DAY)],
    {
      index: Int32Array.of(1, 2, 3, 4, 5),
      rejected: [{ index: 0, code: 'missing_key', message: 'origin is missing' }],
    },
  );
  const { answer } = only(log.commit([batch]));
  assert.is(answer!.accepted, 3);
  assert.is(answer!.position, 3);
  assert.equal(
    answer!.rejected.map(({ index, code }) => [index, code]),
    [
      [0, 'missing_key'],
      [2, 'too_far_ahead'],
      [5, 'too_far_ahead'],
    ],
  );
  assert.match(answer!.rejected[1]!.message, /2001-06-26T12:00:00.000000Z lies more than max_ahead \(86400 s\)/);
  assert.equal(
    readLog(folder).map(({ ts }) => ts),
    [T0, T0 + DAY, T0 + 2 * DAY],
    'the clock moves within the batch',
  );
  assert.is(new Dictionaries(log.state().dictionaries).codeOf('@airport', 'FAR'), -1, 'a rejected id gets no code');
  log.close();
});

test('exactly max_ahead is near enough; nothing is ahead of an empty log', () => {
  const { log } = opened();
  assert.is(only(log.commit([batchOf([event(T0 + 900 * DAY)])])).answer!.accepted, 1);
  const { answer } = only(log.commit([batchOf([event(T0 + 901 * DAY), event(T0 + 902 * DAY + 1)])]));
  assert.equal(
    answer!.rejected.map(({ index }) => index),
    [1],
  );
  log.close();
});

test('a batch of which nothing is taken has the position of the head and leaves no row', () => {
  const { log, folder } = opened();
  log.commit([batchOf([event(T0)])]);
  const { answer, added } = only(log.commit([batchOf([event(T0 + 9 * DAY)], { key: keyOf('b') })]));
  assert.is(added, null);
  assert.equal([answer!.position, answer!.accepted, answer!.rejected.length], [1, 0, 1]);
  assert.is(readLog(folder).length, 1);
  log.close();
});

test('under a wall clock, ahead is ahead of the wall', () => {
  const { log } = opened({ clock: { mode: 'wall', sources: null } });
  log.commit([batchOf([event(T0 - 5 * DAY)], { wall: T0 })]);
  const { answer, added } = only(log.commit([batchOf([event(T0 + DAY), event(T0 + 2 * DAY)], { wall: T0 + HOUR })]));
  assert.equal(
    answer!.rejected.map(({ index }) => index),
    [1],
  );
  assert.is(added!.clock, T0 + HOUR);
  const back = only(log.commit([batchOf([event(T0)], { wall: T0 - DAY })]));
  assert.is(back.added!.clock, T0 + HOUR, 'the clock holds still when the wall is set back');
  log.close();
});

test('only listed sources move an event clock', () => {
  const { log } = opened({
    sources: [sourceOf('departures'), sourceOf('weather')],
    clock: { mode: 'event', sources: ['departures'] },
  });
  const weather = (ts: number) => batchOf([event(ts)], { source: 'weather' });
  assert.is(only(log.commit([weather(T0 + 99 * DAY)])).added!.clock, 0, 'no event has set the clock');
  assert.is(only(log.commit([batchOf([event(T0)])])).added!.clock, T0);
  assert.is(only(log.commit([weather(T0 + HOUR)])).added!.clock, T0);
  assert.is(only(log.commit([weather(T0 + DAY + 1)])).answer!.rejected.length, 1);
  log.close();
});

test('late is older than the newest of its source before its batch by more than lateness', () => {
  const { log, folder } = opened({ sources: [sourceOf('departures'), sourceOf('weather')] });
  log.commit([batchOf([event(T0)])]);
  const group = log.commit([
    batchOf([event(T0 + DAY), event(T0 - DAY), event(T0 - DAY - 1, 'OLD'), event(T0 - 2 * DAY, 'ORD')]),
    batchOf([event(T0 - 1), event(T0)]),
    batchOf([event(T0 - 30 * DAY)], { source: 'weather' }),
  ]);
  assert.equal(
    group.commits.map(({ answer }) => answer!.late),
    [2, 1, 0],
  );
  assert.equal(group.commits[0]!.added!.late, [2, 3], 'the events of a batch do not make each other late');
  assert.is(group.commits[2]!.added!.late, null);
  assert.equal(
    readLog(folder)
      .filter(({ late }) => late)
      .map(({ position }) => position),
    [4, 5, 6],
  );
  const codes = new Dictionaries(log.state().dictionaries);
  const { touched } = group.commits[0]!.added!;
  assert.equal([...touched[0]!.codes], [codes.codeOf('@airport', 'ORD')], 'late events touch nothing');
  assert.ok(codes.codeOf('@airport', 'OLD') >= 0);
  log.close();
});

test('touched names each entity once, for every key of the source', () => {
  const source = sourceOf('departures');
  source.keys.push({ entity: 'route', template: [] });
  const { log, dictionaries } = opened({ sources: [source] });
  const n = 500;
  const batch = batchOf(Array.from({ length: n }, (_, i) => event(T0 + i, `A${i % 7}`)));
  batch.keys.push({ codes: Int32Array.from({ length: n }, (_, i) => -2 - (i % 3)), fresh: ['x', 'y', 'x'] });
  const group = log.commit([batch]);
  for (const delta of group.dictionaries) dictionaries.apply(delta);
  const { touched } = only(group).added!;
  assert.equal(
    touched.map(({ entity, codes }) => [entity, Array.from(codes, (code) => dictionaries.valueOf(`@${entity}`, code))]),
    [
      ['airport', ['A0', 'A1', 'A2', 'A3', 'A4', 'A5', 'A6']],
      ['route', ['x', 'y']],
    ],
  );
  log.close();
});

test('fresh ids of batches in flight together meet in one code', () => {
  const { log, folder, dictionaries } = opened();
  const group = log.commit([
    batchOf([event(T0, 'ORD'), event(T0, 'ATL'), event(T0, 'ORD')]),
    batchOf([event(T0, 'LAX'), event(T0, 'ATL')]),
  ]);
  assert.equal(group.dictionaries, [{ name: '@airport', from: 0, values: ['ORD', 'ATL', 'LAX'] }]);
  for (const delta of group.dictionaries) dictionaries.apply(delta);
  const next = log.commit([batchOf([event(T0, 'SFO'), event(T0, 'LAX')], { codes: dictionaries })]);
  assert.equal(next.dictionaries, [{ name: '@airport', from: 3, values: ['SFO'] }]);
  assert.equal(
    readLog(folder).map(({ airport }) => airport),
    ['ORD', 'ATL', 'ORD', 'LAX', 'ATL', 'SFO', 'LAX'],
  );
  log.close();
});

test('a batch with codes that mean nothing, the wrong columns or no source is refused by itself', () => {
  const { log, folder } = opened();
  const strange = batchOf([event(T0)]);
  strange.keys[0]!.codes[0] = 5;
  const short = batchOf([event(T0), event(T0)]);
  short.timestamps = Float64Array.of(T0);
  const narrow = batchOf([event(T0)]);
  narrow.fields.pop();
  const unknown = batchOf([event(T0)], { source: 'arrivals' });
  const group = log.commit([strange, short, narrow, unknown, batchOf([event(T0)])]);
  assert.equal(
    group.commits.map(({ error }) => error?.code),
    ['internal', 'internal', 'internal', 'unknown_source', undefined],
  );
  assert.is(readLog(folder).length, 1);
  log.close();
});

test('a log that is opened again stands where it stood', () => {
  const sources = [sourceOf('departures'), sourceOf('weather')];
  const { log, folder } = opened({ sources });
  log.commit([batchOf([event(T0), event(T0 + HOUR, 'ATL')]), batchOf([event(T0 + 2)], { source: 'weather' })]);
  log.appendAlerts(['a', 'b']);
  const state = log.state();
  log.close();
  const again = new Log(optionsOf({ folder, sources }));
  assert.equal(again.state(), state);
  assert.equal([state.position, state.clock, state.shards], [3, T0 + HOUR, 64]);
  assert.equal(state.newest, { departures: T0 + HOUR, weather: T0 + 2 });
  const late = only(again.commit([batchOf([event(T0 + HOUR - DAY - 1)])]));
  assert.is(late.answer!.late, 1, 'the newest timestamp of the source is known');
  assert.is(late.answer!.position, 4);
  again.close();
});

test('the number of shards is fixed when the log is made', () => {
  const { log, folder } = opened({ shards: 16 });
  log.close();
  const again = new Log(optionsOf({ folder, shards: 32 }));
  assert.is(again.state().shards, 16);
  again.close();
});

test('the same columns have the same schema, other columns another; old rows keep theirs', () => {
  const { log, folder } = opened();
  const first = log.ensureSchema(sourceOf('departures'));
  assert.is(log.ensureSchema(sourceOf('departures', [], { lateness: HOUR })), first);
  log.commit([batchOf([event(T0)])]);
  log.close();
  const wider = sourceOf('departures', [{ name: 'gate', type: 'timestamp' }]);
  const again = new Log(optionsOf({ folder, sources: [wider] }));
  const second = again.ensureSchema(wider);
  assert.is.not(second, first);
  const batch = batchOf([event(T0)]);
  batch.fields.push(Float64Array.of(T0));
  assert.is(only(again.commit([batch])).added!.schema, second);
  const { schemas } = again.state();
  assert.equal(schemas[first]!.columns.at(-1)!.name, 'carrier');
  assert.equal(schemas[second]!.columns.at(-1), { name: 'gate', dtype: 'f8' });
  assert.is(readLog(folder).length, 2);
  again.close();
});

test('a newer file, a foreign file and a folder in use are refused with a sentence', () => {
  const refusal = (folder: string, pattern: RegExp) =>
    assert.throws(
      () => new Log(optionsOf({ folder })),
      (error: unknown) =>
        error instanceof HeadraceError && error.code === 'store_unavailable' && pattern.test(error.message),
    );
  const { log, folder } = opened();
  refusal(folder, /in use by another engine/);
  log.close();
  let db = foreign(folder);
  db.exec('PRAGMA user_version = 3');
  db.close();
  refusal(folder, /has version 3, this program knows versions up to 2; start the newer Headrace/);
  const other = newFolder();
  db = foreign(other);
  db.exec('CREATE TABLE notes (text)');
  db.close();
  refusal(other, /no log of Headrace/);
});

test('a transaction that fails answers all its batches, changes nothing, and the log lives on', () => {
  const { log, folder, dictionaries } = opened();
  log.commit([batchOf([event(T0)], { key: keyOf('a') })]);
  const before = log.state();
  const db = foreign(folder);
  db.exec("CREATE TRIGGER full BEFORE INSERT ON log WHEN NEW.n = 3 BEGIN SELECT RAISE(ABORT, 'no room left'); END");
  const good = () => batchOf([event(T0 + DAY, 'NEW')], { key: keyOf('b') });
  const bad = () => batchOf([event(T0), event(T0), event(T0, 'BAD')], { key: keyOf('c') });
  const failed = log.commit([good(), bad(), good()]);
  assert.equal(
    failed.commits.map(({ error, answer, added }) => [error?.code, answer, added]),
    Array.from({ length: 3 }, () => ['store_unavailable', null, null]),
  );
  assert.match(failed.commits[0]!.error!.message, /no room left/);
  assert.equal([failed.position, failed.dictionaries], [1, []]);
  assert.equal(log.state(), before);
  assert.is(readLog(folder).length, 1);
  db.exec('DROP TRIGGER full');
  db.close();
  const group = log.commit([good(), bad()]);
  assert.equal(
    group.commits.map(({ answer }) => [answer!.position, answer!.accepted]),
    [
      [2, 1],
      [5, 3],
    ],
  );
  assert.equal(group.dictionaries, [{ name: '@airport', from: 1, values: ['NEW', 'BAD'] }]);
  for (const delta of group.dictionaries) dictionaries.apply(delta);
  assert.is(readLog(folder).at(-1)!.airport, 'BAD');
  log.close();
});

test('a file that has become read-only refuses events and still answers', () => {
  const { log, folder } = opened();
  log.commit([batchOf([event(T0)])]);
  const db = foreign(folder);
  db.exec('BEGIN EXCLUSIVE');
  assert.is(only(log.commit([batchOf([event(T0)])])).error!.code, 'store_unavailable');
  assert.is(log.clockAt(1), T0);
  db.exec('ROLLBACK');
  db.close();
  assert.is(only(log.commit([batchOf([event(T0)])])).answer!.position, 2);
  log.close();
});

test('the ring keeps the last alerts under one epoch, and offsets never count back', () => {
  const { log, folder } = opened();
  assert.is(log.appendAlerts(['a', 'b']), 2);
  assert.is(log.appendAlerts(['c', 'd']), 4);
  const { epoch, ...rest } = log.state().alerts;
  assert.equal(rest, { offset: 4, bodies: ['b', 'c', 'd'] });
  log.close();
  const again = new Log(optionsOf({ folder, alertRing: 1 }));
  assert.is(again.appendAlerts(['e']), 5);
  assert.equal(again.state().alerts, { epoch, offset: 5, bodies: ['e'] });
  again.close();
  const { log: other } = opened();
  assert.is.not(other.state().alerts.epoch, epoch);
  assert.equal(other.state().alerts.bodies, []);
  other.close();
});

test('clockAt refuses a position that is not in the log', () => {
  const { log } = opened();
  log.commit([batchOf([event(T0 + SECOND)])]);
  assert.is(log.clockAt(0), 0);
  assert.is(log.clockAt(1), T0 + SECOND);
  for (const position of [2, -1, 0.5, Number.NaN]) {
    assert.throws(
      () => log.clockAt(position),
      (error: unknown) => error instanceof HeadraceError && error.code === 'unknown_position',
    );
  }
  log.close();
});

test.run();
