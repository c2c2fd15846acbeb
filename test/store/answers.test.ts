import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Dictionaries } from '../../src/store/dictionaries.ts';
import { Log } from '../../src/store/log.ts';
import type { Batch, Commit } from '../../src/store/log-row.ts';
import { batchOf, DAY, foreign, keyOf, newFolder, optionsOf, type PlainEvent, removeFolders, T0 } from './material.ts';

const test = suite('store/answers');
test.after(removeFolders);

const events: PlainEvent[] = [
  { ts: T0, airport: 'ORD', delay: 1, carrier: 'AA' },
  { ts: T0 - 3 * DAY, airport: 'ATL', delay: null, carrier: null },
];
const first = { position: 2, accepted: 2, late: 0, duplicate: 0, rejected: [] };
const again = { position: 2, accepted: 0, late: 0, duplicate: 2, rejected: [] };

const take = (log: Log, ...batches: Batch[]): Commit[] => log.commit(batches).commits;

test('a retry gets the earlier answer as duplicates, in the same transaction, later, and after a restart', () => {
  const folder = newFolder();
  let log = new Log(optionsOf({ folder }));
  const batch = () => batchOf(events, { key: keyOf('b') });
  assert.equal(
    take(log, batch(), batch()).map(({ answer, added }) => [answer, added?.n]),
    [
      [first, 2],
      [again, undefined],
    ],
  );
  take(log, batchOf(events));
  assert.equal(take(log, batch())[0]!.answer, again);
  log.close();
  log = new Log(optionsOf({ folder }));
  const codes = new Dictionaries(log.state().dictionaries);
  const coded = batchOf(events, { key: keyOf('b'), codes });
  assert.is(coded.keys[0]!.fresh.length, 0);
  assert.equal(take(log, coded)[0]!.answer, again, 'codes and texts of the same ids are the same events');
  assert.is(log.state().position, 4);
  log.close();
});

test('an id that got its code while the batch was being made is one id', () => {
  const log = new Log(optionsOf());
  take(log, batchOf([events[0]!]));
  const same = [events[0]!, events[0]!];
  const mixed = batchOf(same, { key: keyOf('b') });
  // Its first row was coded after the commit, its second before.
  mixed.keys[0] = { codes: Int32Array.of(0, -2), fresh: ['ORD'] };
  assert.is(take(log, mixed)[0]!.answer!.accepted, 2);
  assert.is(take(log, batchOf(same, { key: keyOf('b') }))[0]!.answer?.duplicate, 2);
  assert.equal(new Dictionaries(log.state().dictionaries).size('@airport'), 1);
  log.close();
});

test('a retry repeats the rejections of the edge and of the log', () => {
  const log = new Log(optionsOf());
  const batch = () =>
    batchOf([...events, { ts: T0 + 9 * DAY, airport: 'X' }], {
      key: keyOf('b'),
      index: Int32Array.of(0, 2, 3),
      rejected: [{ index: 1, code: 'not_finite', message: 'delay is NaN' }],
    });
  const [one] = take(log, batch());
  assert.equal(
    one!.answer!.rejected.map(({ index, code }) => [index, code]),
    [
      [1, 'not_finite'],
      [3, 'too_far_ahead'],
    ],
  );
  // By now the clock has moved: what was too far ahead then stays rejected.
  take(log, batchOf([{ ts: T0 + DAY, airport: 'ORD' }]));
  const [two] = take(log, batch());
  assert.equal(two!.answer, { ...one!.answer!, accepted: 0, duplicate: 2 });
  log.close();
});

test('other events under the same key are refused, whatever differs', () => {
  const log = new Log(optionsOf({ sources: optionsOf().sources }));
  take(log, batchOf(events, { key: keyOf('b') }));
  const [one, two] = events as [PlainEvent, PlainEvent];
  const others: PlainEvent[][] = [
    [one],
    [two, one],
    [{ ...one, ts: T0 + 1 }, two],
    [{ ...one, airport: 'ATL' }, two],
    [one, { ...two, airport: 'ORD' }],
    [{ ...one, delay: 2 }, two],
    [one, { ...two, delay: 0 }],
    [{ ...one, carrier: 'UA' }, two],
    [one, { ...two, carrier: 'AA' }],
    [one, two, two],
  ];
  for (const other of others) {
    const [commit] = take(log, batchOf(other, { key: keyOf('b') }));
    assert.is(commit!.error?.code, 'batch_conflict', JSON.stringify(other));
    assert.match(commit!.error!.message, /Producer p .* batch "b", chunk 0; give new events a new batch/);
    assert.equal([commit!.answer, commit!.added], [null, null]);
  }
  const rejected = [{ index: 2, code: 'missing_key' as const, message: '' }];
  assert.is(take(log, batchOf(events, { key: keyOf('b'), rejected }))[0]!.error?.code, 'batch_conflict');
  assert.is(log.state().position, 2);
  assert.equal(new Dictionaries(log.state().dictionaries).codeOf('departures.carrier', 'UA'), -1);
  log.close();
});

test('a conflict within one transaction is the later batch alone', () => {
  const log = new Log(optionsOf());
  const commits = take(
    log,
    batchOf(events, { key: keyOf('b') }),
    batchOf([events[0]!], { key: keyOf('b') }),
    batchOf([events[0]!], { key: keyOf('c') }),
  );
  assert.equal(
    commits.map(({ answer, error }) => error?.code ?? answer!.position),
    [2, 'batch_conflict', 3],
  );
  log.close();
});

test('source, producer, batch with its type, and chunk make the key', () => {
  const sources = [...optionsOf().sources, { ...optionsOf().sources[0]!, name: 'weather' }];
  const log = new Log(optionsOf({ sources }));
  const batches = [
    batchOf(events, { key: keyOf('5') }),
    batchOf(events, { key: keyOf(5) }),
    batchOf(events, { key: keyOf('5', 'q') }),
    batchOf(events, { key: keyOf('5', 'p', 1) }),
    batchOf(events, { key: keyOf('5'), source: 'weather' }),
    batchOf(events),
    batchOf(events),
  ];
  assert.equal(
    take(log, ...batches).map(({ answer }) => answer!.accepted),
    batches.map(() => 2),
  );
  log.close();
});

test('keys are kept for their days of wall time, then forgotten', () => {
  const folder = newFolder();
  const log = new Log(optionsOf({ folder, batchKeyDays: 2 }));
  const accepted = (batch: string, wall: number) => {
    const [commit] = take(log, batchOf(events, { key: keyOf(batch), wall }));
    return commit!.answer!.accepted;
  };
  assert.is(accepted('old', T0), 2);
  assert.is(accepted('mid', T0 + DAY), 2);
  assert.is(accepted('old', T0 + 2 * DAY), 0);
  assert.is(accepted('old', T0 + 2 * DAY + 1), 2, 'as new after that');
  assert.is(accepted('mid', T0 + 3 * DAY + 1), 2);
  assert.is(accepted('new', T0 + 4 * DAY), 2);
  while (log.merge());
  const keys = () => {
    const db = foreign(folder);
    const batches = db.prepare('SELECT batch FROM answers ORDER BY batch').all();
    db.close();
    return batches.map(({ batch }) => batch);
  };
  assert.equal(keys(), ['smid', 'snew', 'sold']);
  accepted('newest', T0 + 5 * DAY);
  while (log.merge());
  assert.equal(keys(), ['smid', 'snew', 'snewest']);
  log.close();
});

test('lastBatch is the newest batch that was answered, also when its key is forgotten', () => {
  const folder = newFolder();
  let log = new Log(optionsOf({ folder, batchKeyDays: 1 }));
  assert.is(log.lastBatch('departures', 'replay'), null);
  take(log, batchOf(events, { key: keyOf('0:1', 'replay') }), batchOf(events, { key: keyOf('0:2', 'replay', 3) }));
  take(log, batchOf(events, { key: keyOf(17, 'load') }), batchOf(events, { key: keyOf('0:1', 'replay') }));
  const last = { batch: '0:2', chunk: 3, position: 4, accepted: 2 };
  assert.equal(log.lastBatch('departures', 'replay'), last, 'a retry of an older batch does not count back');
  take(log, batchOf(events, { wall: T0 + 9 * DAY }));
  while (log.merge());
  log.close();
  log = new Log(optionsOf({ folder }));
  assert.equal(log.lastBatch('departures', 'replay'), last);
  assert.is(log.lastBatch('departures', 'load')!.batch, 17);
  assert.is(log.lastBatch('weather', 'load'), null);
  log.close();
});

test.run();
