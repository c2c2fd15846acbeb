import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import type { Batch, CodedColumn } from '../../src/store/log-row.ts';
import { group, HeldLog, Outcome, WALL } from './fixtures.ts';

type Numbers = Float64Array<ArrayBuffer>;

const test = suite('ingest/ingest');

const time = '2001-06-24T00:01:00Z';
const micros = Date.UTC(2001, 5, 24, 0, 1) * 1000;
const event = { origin: 'ORD', destination: 'LAX', date: time, delay: 12.5, seats: 120, diverted: true, planned: time };

function rows(events: unknown[], log = new HeldLog()): { log: HeldLog; batch: Batch; outcome: Outcome } {
  const outcome = new Outcome();
  log.ingest.rows('departures', events, null, outcome.done);
  return { log, batch: log.last, outcome };
}

const codes = (batch: Batch): string[] => batch.rejected.map(({ index, code }) => `${index} ${code}`);

test('makes columns of events', () => {
  const { log, batch } = rows([event, { origin: 'LAX', destination: 'ORD', date: micros / 1000, unknown: {} }]);
  assert.is(batch.n, 2);
  assert.is(batch.index, null);
  assert.is(batch.wall, WALL);
  assert.equal([...batch.timestamps], [micros, micros]);
  assert.equal(log.texts('@airport', batch.keys[0]!), ['ORD', 'LAX']);
  assert.equal(log.texts('@route', batch.keys[1]!), ['ORD-LAX', 'LAX-ORD']);
  const [delay, seats, diverted, origin, planned] = batch.fields as [Numbers, Numbers, Numbers, CodedColumn, Numbers];
  assert.equal([...delay], [12.5, Number.NaN]);
  assert.equal([...seats], [120, Number.NaN]);
  assert.equal([...diverted], [1, Number.NaN]);
  assert.equal([...planned], [micros, Number.NaN]);
  assert.equal(log.texts('departures.origin', origin), ['ORD', 'LAX']);
  assert.equal(batch.rejected, []);
});

test('answers when the log has committed, not before', () => {
  const { log, outcome } = rows([event]);
  assert.ok(outcome.waiting);
  assert.ok(log.ingest.inflightBytes > 0);
  log.commit();
  assert.equal(outcome.answer, { position: 1, accepted: 1, late: 0, duplicate: 0, rejected: [] });
  assert.is(log.ingest.inflightBytes, 0);
  assert.is(log.ingest.pending, 0);
});

test('uses the codes that the log has given and numbers new texts once', () => {
  const log = new HeldLog();
  log.known.set('@airport', ['LAX', 'ORD']);
  const { batch } = rows(
    [event, { ...event, origin: 'SFO' }, { ...event, origin: 'SFO' }, { ...event, origin: 'LAX' }],
    log,
  );
  assert.equal([...batch.keys[0]!.codes], [1, -2, -2, 0]);
  assert.equal(batch.keys[0]!.fresh, ['SFO']);
  assert.equal(batch.keys[1]!.fresh, ['ORD-LAX', 'SFO-LAX', 'LAX-LAX']);
});

test('rejects by index and takes the others', () => {
  const bad: [unknown, string][] = [
    [null, 'not_an_object'],
    ['ORD', 'not_an_object'],
    [[event], 'not_an_object'],
    [{ ...event, origin: undefined }, 'missing_key'],
    [{ ...event, destination: null }, 'missing_key'],
    [{ ...event, origin: '' }, 'invalid_entity_id'],
    [{ ...event, destination: '' }, 'invalid_entity_id'],
    [{ ...event, origin: true }, 'invalid_entity_id'],
    [{ ...event, origin: 1.5 }, 'invalid_entity_id'],
    [{ ...event, origin: {} }, 'invalid_entity_id'],
    [{ ...event, origin: 'x'.repeat(10_000) }, 'invalid_entity_id'],
    [{ ...event, origin: 'é'.repeat(300) }, 'invalid_entity_id'],
    [{ ...event, origin: 'OR\u0000D' }, 'invalid_entity_id'],
    [{ ...event, origin: 'OR\ud800' }, 'invalid_entity_id'],
    [{ ...event, date: undefined }, 'missing_timestamp'],
    [{ ...event, date: 'yesterday' }, 'invalid_time'],
    [{ ...event, date: 993_340_860 }, 'invalid_time'],
    [{ ...event, date: '2001-02-30' }, 'invalid_time'],
    [{ ...event, delay: '12' }, 'invalid_field'],
    [{ ...event, delay: true }, 'invalid_field'],
    [{ ...event, delay: [] }, 'invalid_field'],
    [{ ...event, delay: Number.NaN }, 'not_finite'],
    [{ ...event, delay: Number.NEGATIVE_INFINITY }, 'not_finite'],
    [{ ...event, delay: 'NaN' }, 'not_finite'],
    [{ ...event, delay: '-Infinity' }, 'not_finite'],
    [{ ...event, seats: 1.5 }, 'invalid_field'],
    [{ ...event, seats: 2 ** 53 }, 'invalid_field'],
    [{ ...event, diverted: 1 }, 'invalid_field'],
    [{ ...event, planned: 'soon' }, 'invalid_time'],
  ];
  const { log, batch, outcome } = rows([event, ...bad.map(([value]) => value), event]);
  assert.equal(
    codes(batch),
    bad.map(([, code], i) => `${i + 1} ${code}`),
  );
  assert.is(batch.n, 2);
  assert.equal([...batch.index!], [0, bad.length + 1]);
  assert.equal([...batch.timestamps], [micros, micros]);
  assert.equal(batch.keys[0]!.fresh, ['ORD'], 'what only rejected events name gets no code');
  for (const { message } of batch.rejected) assert.ok(message.length > 10 && message.length < 300, message);
  log.commit();
  assert.is(outcome.answer.accepted, 2);
  assert.is(outcome.answer.rejected.length, bad.length);
});

test('says what stands in the place of a finite number', () => {
  const events = [
    { ...event, delay: Number.POSITIVE_INFINITY },
    { ...event, delay: 'Infinity' },
    { ...event, seats: 'NaN' },
  ];
  assert.equal(
    rows(events).batch.rejected.map(({ message }) => message),
    [
      'delay is Infinity; expected a number, or null where there is none',
      'delay is the text "Infinity"; expected a number, or null where there is none',
      'seats is the text "NaN"; expected a whole number, or null where there is none',
    ],
  );
});

test('takes whole numbers as ids, and ids of the greatest length', () => {
  const { log, batch } = rows([
    { ...event, origin: 7 },
    { ...event, origin: 'é'.repeat(200) },
    { ...event, origin: -0 },
  ]);
  assert.equal(batch.rejected, []);
  assert.equal(log.texts('@route', batch.keys[1]!), ['7-LAX', `${'é'.repeat(200)}-LAX`, '0-LAX']);
});

test('reads no inherited property as a column', () => {
  const { batch } = rows([JSON.parse('{"__proto__": {"origin": "ORD"}, "destination": "LAX", "date": "2001-01-01"}')]);
  assert.equal(codes(batch), ['0 missing_key']);
});

test('takes columns', () => {
  const log = new HeldLog();
  const outcome = new Outcome();
  const columns = {
    origin: ['ORD', 'ATL', ''],
    destination: ['LAX', 'LAX', 'LAX'],
    date: [time, micros / 1000, time],
    delay: [1, Number.NaN, null],
  };
  log.ingest.columns('departures', columns, { producer: 'p', batch: 'b', chunk: 0 }, outcome.done);
  assert.equal(codes(log.last), ['1 not_finite', '2 invalid_entity_id']);
  assert.equal(log.last.key, { producer: 'p', batch: 'b', chunk: 0 });
  assert.is(log.last.n, 1);
});

test('refuses columns that are no table', () => {
  for (const columns of [{ origin: ['ORD'], date: [] }, { origin: 'ORD' }, { origin: null }]) {
    const log = new HeldLog();
    const outcome = new Outcome();
    log.ingest.columns('departures', columns, null, outcome.done);
    assert.is(outcome.error.code, 'bad_request');
    assert.is(log.batches.length, 0);
  }
});

test('rejects every event of columns without a key', () => {
  const log = new HeldLog();
  log.ingest.columns('departures', { date: [time, time] }, null, new Outcome().done);
  assert.equal(codes(log.last), ['0 missing_key', '1 missing_key']);
});

test('takes an empty request', () => {
  const { log, outcome } = rows([]);
  log.commit();
  assert.is(outcome.answer.accepted, 0);
});

test('refuses an unknown source and says which there are', () => {
  const outcome = new Outcome();
  new HeldLog().ingest.rows('arrivals', [event], null, outcome.done);
  assert.is(outcome.error.code, 'unknown_source');
  assert.match(outcome.error.message, 'departures');
});

test('refuses more events than a request may hold', () => {
  const outcome = new Outcome();
  new HeldLog({ events_max: 2 }).ingest.rows('departures', [event, event, event], null, outcome.done);
  assert.is(outcome.error.code, 'too_many');
});

test('says overloaded past the bytes in flight, but takes one request whatever its size', () => {
  const log = new HeldLog({ ingest_inflight_bytes_max: 100 });
  const first = new Outcome();
  log.ingest.rows('departures', [event, event, event], null, first.done);
  assert.ok(first.waiting);
  const second = new Outcome();
  log.ingest.rows('departures', [event], null, second.done);
  assert.is(second.error.code, 'overloaded');
  assert.ok(second.error.temporary);
  assert.ok(second.error.retryAfterMs! > 0);
  log.commit();
  const third = new Outcome();
  log.ingest.rows('departures', [event], null, third.done);
  log.commit();
  assert.is(third.answer.accepted, 1);
});

test('tells a batch that could not be written', () => {
  const { log, batch, outcome } = rows([event]);
  const error = { code: 'batch_conflict', message: 'other events under this key' } as const;
  log.ingest.committed(group([{ id: batch.id, answer: null, error, added: null }], 0));
  assert.is(outcome.error.code, 'batch_conflict');
  assert.is(log.ingest.inflightBytes, 0);
});

test('drains: takes nothing more and answers what is under way', () => {
  const { log, outcome } = rows([event]);
  log.ingest.drain();
  const refused = new Outcome();
  log.ingest.rows('departures', [event], null, refused.done);
  assert.is(refused.error.code, 'draining');
  log.commit();
  assert.is(outcome.answer.accepted, 1);
});

test('answers all that waits when the log is gone', () => {
  const { log, outcome } = rows([event]);
  log.ingest.fail(new HeadraceError('store_unavailable', 'the disk is full'));
  assert.is(outcome.error.code, 'store_unavailable');
  const refused = new Outcome();
  log.ingest.rows('departures', [event], null, refused.done);
  assert.is(refused.error.code, 'store_unavailable');
});

test.run();
