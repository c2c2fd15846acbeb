import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OutputType } from '../../src/registry/view.ts';
import { RowWriter, RowWriters, rowSpec } from '../../src/values/json.ts';
import { ROW_HEADER } from '../../src/values/row.ts';
import { formatTime } from '../../src/wire/time.ts';
import { makeView } from '../serve/world.ts';

const test = suite('values/json');

const time = fc.integer({ min: 0, max: 4e15 });
const value: Record<OutputType, fc.Arbitrary<number | string | boolean | null>> = {
  float64: fc.double({ noNaN: true, noDefaultInfinity: true }),
  int64: fc.maxSafeInteger(),
  bool: fc.boolean(),
  timestamp: time,
  string: fc.string({ unit: 'grapheme' }),
};
const feature = fc
  .constantFrom<OutputType>('float64', 'int64', 'bool', 'timestamp', 'string')
  .chain((output) => fc.record({ name: fc.string(), output: fc.constant(output), value: fc.option(value[output]) }));

const shown = (output: OutputType, of: unknown): unknown =>
  output === 'timestamp' && of !== null ? formatTime(of as number) : of;
const timeOrNull = (of: number | null): string | null => (of === null ? null : formatTime(of));

test("a row's text is what JSON.stringify makes of it", () => {
  const rows = fc.record({
    id: fc.string({ unit: 'grapheme' }),
    features: fc.uniqueArray(feature, { selector: ({ name }) => name, maxLength: 8 }),
    asOf: time,
    position: fc.nat(),
    revision: fc.nat(),
    eventTime: fc.option(time),
    computedAt: time,
    validUntil: fc.option(time),
    base: fc.nat(3),
    state: fc.constantFrom('cached' as const, 'computed' as const, 'stale' as const),
  });
  fc.assert(
    fc.property(rows, (row) => {
      // Integer-like names would be put first by an object; a Map keeps the order of the view.
      const features = row.features.filter(({ name }) => !/^\d+$/.test(name) && name !== '__proto__');
      const view = { ...makeView(), features };
      const numbers = features.map(({ value: of }) =>
        typeof of === 'string' ? 0 : of === null ? Number.NaN : Number(of),
      );
      const header = [row.asOf, row.position, row.revision, row.eventTime ?? Number.NaN, row.computedAt];
      const slab = Float64Array.from([
        ...new Array<number>(row.base).fill(-1),
        ...header,
        row.validUntil ?? Number.NaN,
        ...numbers,
      ]);
      const strings = features.map(({ output, value: of }) => (output === 'string' ? (of as string | null) : null));
      const data = { slab, base: row.base, strings };
      const values = Object.fromEntries(features.map(({ name, output, value: of }) => [name, shown(output, of)]));
      const provenance = {
        as_of: formatTime(row.asOf),
        position: row.position,
        event_time: timeOrNull(row.eventTime),
        computed_at: formatTime(row.computedAt),
        valid_until: timeOrNull(row.validUntil),
      };
      const writer = new RowWriter(rowSpec(view, null));
      const cached = row.state === 'stale' ? { cached: true, stale: true } : { cached: row.state === 'cached' };
      assert.is(
        writer.rowText(row.id, data, row.state),
        JSON.stringify({ entity_id: row.id, features: values, revision: row.revision, ...provenance, ...cached }),
      );
      assert.is(
        writer.updateText(3, row.id, data),
        JSON.stringify({
          type: 'update',
          topic: 3,
          entity_id: row.id,
          revision: row.revision,
          features: values,
          ...provenance,
        }),
      );
    }),
  );
});

test('a selection writes its features alone, in its order', () => {
  const view = makeView({}, ['int64', 'float64', 'string']);
  const writer = new RowWriters().of(view, [2, 0]);
  const slab = new Float64Array(ROW_HEADER + 3);
  slab[ROW_HEADER] = 4;
  const { features } = JSON.parse(writer.rowText('ORD', { slab, base: 0, strings: [null, null, 'x'] }, 'cached'));
  assert.is(JSON.stringify(features), '{"f2":"x","events":4}');
});

test('what is not finite is null, and negative zero is zero', () => {
  const writer = new RowWriter(rowSpec(makeView({}, ['float64', 'float64', 'int64']), null));
  const slab = new Float64Array(ROW_HEADER + 3);
  slab.set([Number.POSITIVE_INFINITY, -0, Number.NaN], ROW_HEADER);
  const text = writer.rowText('ORD', { slab, base: 0, strings: null }, 'cached');
  assert.match(text, '"features":{"events":null,"f1":0,"f2":null}');
});

test('writers are made once, and the selections kept are bounded', () => {
  const writers = new RowWriters();
  const view = makeView({}, new Array<OutputType>(300).fill('float64'));
  assert.is(writers.of(view, null), writers.of(view, null));
  const first = writers.of(view, [0]);
  assert.is(writers.of(view, [0]), first);
  for (let i = 0; i < 300; i++) writers.of(view, [i]);
  assert.is.not(writers.of(view, [0]), first);
});

test.run();
