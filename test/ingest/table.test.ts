import {
  Bool,
  type DataType,
  DateDay,
  Dictionary,
  Float64,
  Int32,
  Int64,
  LargeUtf8,
  makeData,
  type RecordBatch,
  RecordBatchReader,
  Table,
  Timestamp,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  tableToIPC,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Batch } from '../../src/store/log-row.ts';
import { HeldLog, Outcome } from './fixtures.ts';

const test = suite('ingest/table');

const micros = Date.UTC(2001, 5, 24, 0, 1) * 1000;
const at = (offset: number): bigint => BigInt(micros + offset);

/** A batch as it comes from a stream: written and read again. */
function batchOf(columns: Record<string, Vector>): RecordBatch {
  const bytes = tableToIPC(new Table(columns), 'stream');
  const [batch] = [...RecordBatchReader.from(bytes)];
  return batch!;
}

/** Timestamps by their stored integers, which the library's own builders do not take. */
function stamps(values: (bigint | null)[], type: Timestamp): Vector {
  const data = BigInt64Array.from(values, (value) => value ?? 0n);
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, i) => {
    if (value !== null) nullBitmap[i >> 3]! |= 1 << (i & 7);
  });
  return new Vector([makeData({ type, length: values.length, nullCount: -1, nullBitmap, data })]);
}

const dictionary = (values: (string | null)[]): Vector =>
  vectorFromArray(values, new Dictionary(new Utf8(), new Int32()));

const base = (n: number): Record<string, Vector> => ({
  origin: dictionary(Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 'ORD' : 'ATL'))),
  destination: vectorFromArray(
    Array.from({ length: n }, () => 'LAX'),
    new Utf8(),
  ),
  date: stamps(
    Array.from({ length: n }, (_, i) => at(i)),
    new TimestampMicrosecond(),
  ),
});

function taken(columns: Record<string, Vector>, n = 3): { log: HeldLog; batch: Batch } {
  const log = new HeldLog();
  const outcome = new Outcome();
  log.ingest.table('departures', batchOf({ ...base(n), ...columns }), null, outcome.done);
  if (!outcome.waiting) throw outcome.error;
  return { log, batch: log.last };
}

const codes = (batch: Batch): string[] => batch.rejected.map(({ index, code }) => `${index} ${code}`);
const numbers = (batch: Batch, field: number): number[] => [...(batch.fields[field] as Float64Array)];

test('reads dictionaries, texts, numbers, booleans and times', () => {
  const { log, batch } = taken({
    delay: vectorFromArray([1.5, null, -3], new Float64()),
    seats: vectorFromArray([1n, -5n, null], new Int64()),
    diverted: vectorFromArray([true, false, null], new Bool()),
    planned: stamps([at(0), null, at(2)], new TimestampMicrosecond()),
  });
  assert.equal(batch.rejected, []);
  assert.equal([...batch.timestamps], [micros, micros + 1, micros + 2]);
  assert.equal(log.texts('@airport', batch.keys[0]!), ['ORD', 'ATL', 'ORD']);
  assert.equal(log.texts('@route', batch.keys[1]!), ['ORD-LAX', 'ATL-LAX', 'ORD-LAX']);
  assert.equal(batch.keys[1]!.fresh, ['ORD-LAX', 'ATL-LAX']);
  assert.equal(numbers(batch, 0), [1.5, Number.NaN, -3]);
  assert.equal(numbers(batch, 1), [1, -5, Number.NaN]);
  assert.equal(numbers(batch, 2), [1, 0, Number.NaN]);
  assert.equal(numbers(batch, 4), [micros, Number.NaN, micros + 2]);
});

test('reads times of every unit and zone to the microsecond', () => {
  const ns = at(7) * 1000n;
  const whole = micros - (micros % 1e6);
  const units: [DataType, bigint | number | string, number][] = [
    [new TimestampSecond(), BigInt(whole / 1e6), whole],
    [new TimestampMillisecond('Europe/Berlin'), BigInt(micros / 1000), micros],
    [new TimestampMicrosecond('UTC'), at(7), micros + 7],
    [new TimestampNanosecond(), ns + 999n, micros + 7],
    [new TimestampNanosecond(), -1n, -1],
    [new DateDay(), Date.UTC(2001, 5, 24), Date.UTC(2001, 5, 24) * 1000],
    [new Int64(), BigInt(micros / 1000), micros],
    [new Float64(), micros / 1000 + 0.25, micros + 250],
    [new Utf8(), '2001-06-24T00:01:00.000007+00:00', micros + 7],
    [new LargeUtf8(), String(micros / 1000), micros],
  ];
  for (const [type, value, expected] of units) {
    const { batch } = taken(
      {
        date:
          typeof value === 'bigint' && type instanceof Timestamp
            ? stamps([value], type)
            : vectorFromArray([value], type),
      },
      1,
    );
    assert.equal(codes(batch), [], String(type));
    assert.is(batch.timestamps[0], expected, String(type));
  }
});

test('rejects by index what is null, unreadable, not finite or unsafe', () => {
  const { batch } = taken(
    {
      origin: dictionary(['ORD', null, 'ORD', 'ORD', 'ORD', 'ORD', 'ORD']),
      date: stamps([at(0), at(1), null, 2n ** 62n, at(4), at(5), at(6)], new TimestampMicrosecond()),
      delay: vectorFromArray([0, 0, 0, 0, Number.NaN, Number.POSITIVE_INFINITY, 0], new Float64()),
      seats: vectorFromArray([0n, 0n, 0n, 0n, 0n, 0n, 2n ** 53n], new Int64()),
    },
    7,
  );
  assert.equal(codes(batch), [
    '1 missing_key',
    '2 missing_timestamp',
    '3 invalid_time',
    '4 not_finite',
    '5 not_finite',
    '6 invalid_field',
  ]);
  assert.is(batch.n, 1);
});

test('takes texts for numbers, as files of text have them', () => {
  const { batch } = taken(
    {
      delay: dictionary(['1.5', '-2e1', 'fast', 'inf', '']),
      seats: dictionary(['12', '1.5', '12', '12', '12']),
      diverted: dictionary(['true', 'False', 'true', 'true', 'maybe']),
    },
    5,
  );
  assert.equal(codes(batch), ['1 invalid_field', '2 invalid_field', '3 not_finite', '4 invalid_field']);
  assert.equal(numbers(batch, 0), [1.5]);
  assert.equal(numbers(batch, 2), [1]);
});

test('takes whole numbers as ids', () => {
  const { log, batch } = taken({ origin: vectorFromArray([7n, null, 2n ** 60n], new Int64()) });
  assert.equal(codes(batch), ['1 missing_key', '2 invalid_entity_id']);
  assert.equal(log.texts('@airport', batch.keys[0]!), ['7']);
});

test('rejects the lines that a file reader could not read, with its words', () => {
  const { batch } = taken({ '@error': dictionary([null, 'line 3: no JSON', null]) });
  assert.equal(batch.rejected, [{ index: 1, code: 'malformed_json', message: 'line 3: no JSON' }]);
});

test('reads texts beyond ASCII', () => {
  const { log, batch } = taken({ origin: vectorFromArray(['Zürich', 'Köln', '東京'], new Utf8()) });
  assert.equal(log.texts('@airport', batch.keys[0]!), ['Zürich', 'Köln', '東京']);
});

test('reads a slice of a batch as the rows it shows', () => {
  const whole = batchOf({
    ...base(20),
    delay: vectorFromArray(
      Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? null : i)),
      new Float64(),
    ),
    diverted: vectorFromArray(
      Array.from({ length: 20 }, (_, i) => i % 2 === 0),
      new Bool(),
    ),
  });
  const log = new HeldLog();
  log.ingest.table('departures', whole.slice(3, 6), null, new Outcome().done);
  assert.equal([...log.last.timestamps], [micros + 3, micros + 4, micros + 5]);
  assert.equal(numbers(log.last, 0), [Number.NaN, 4, 5]);
  assert.equal(numbers(log.last, 2), [0, 1, 0]);
  assert.equal(log.texts('@route', log.last.keys[1]!), ['ATL-LAX', 'ORD-LAX', 'ATL-LAX']);
});

test('refuses a column of a type that the source cannot mean', () => {
  const columns: Record<string, Vector>[] = [
    { delay: vectorFromArray([true, true, true], new Bool()) },
    { delay: stamps([at(0), at(0), at(0)], new TimestampMicrosecond()) },
    { date: vectorFromArray([true, true, true], new Bool()) },
    { diverted: vectorFromArray([1, 0, 1], new Float64()) },
    { origin: stamps([at(0), at(0), at(0)], new TimestampMicrosecond()) },
  ];
  for (const column of columns) {
    const outcome = new Outcome();
    const log = new HeldLog();
    log.ingest.table('departures', batchOf({ ...base(3), ...column }), null, outcome.done);
    assert.is(outcome.error.code, 'bad_request');
    assert.is(log.batches.length, 0);
    assert.match(outcome.error.message, Object.keys(column)[0]!);
  }
});

test('gives the same batch as the same events by row', () => {
  const n = 500;
  const random = (i: number): number => ((i * 7919) % 1009) / 7;
  const origins = Array.from({ length: n }, (_, i) => (i % 13 === 0 ? null : `A${i % 17}`));
  const destinations = Array.from({ length: n }, (_, i) => (i % 29 === 0 ? '' : `B${i % 5}`));
  const delays = Array.from({ length: n }, (_, i) => (i % 31 === 0 ? Number.NaN : i % 7 === 0 ? null : random(i)));
  const seats = Array.from({ length: n }, (_, i) => i - 250);
  const { log, batch } = taken(
    {
      origin: dictionary(origins),
      destination: vectorFromArray(destinations, new Utf8()),
      delay: vectorFromArray(delays, new Float64()),
      seats: vectorFromArray(seats, new Int32()),
    },
    n,
  );
  const rows = new HeldLog();
  const events = seats.map((_, i) => ({
    origin: origins[i],
    destination: destinations[i],
    date: (micros + i) / 1000,
    delay: delays[i],
    seats: seats[i],
  }));
  rows.ingest.rows('departures', events, null, new Outcome().done);
  assert.equal(batch.rejected, rows.last.rejected);
  assert.equal(batch.timestamps, rows.last.timestamps);
  assert.equal(batch.index, rows.last.index);
  for (const [i, entity] of ['airport', 'route'].entries()) {
    const byTable = log.texts(`@${entity}`, batch.keys[i]!);
    assert.equal(byTable, rows.texts(`@${entity}`, rows.last.keys[i]!));
  }
  assert.equal(numbers(batch, 0), numbers(rows.last, 0));
  assert.equal(numbers(batch, 1), numbers(rows.last, 1));
});

test.run();
