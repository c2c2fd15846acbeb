import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { type Column, ColumnReader, type Dtype, encodeColumns, NULL_I8 } from '../../src/wire/columns.ts';

interface Vector {
  name: string;
  n: number;
  columns: { dtype: Dtype; values: (number | string | null)[] }[];
  hex: string;
}

const vectors: Vector[] = JSON.parse(readFileSync(new URL('../vectors/columns.json', import.meta.url), 'utf8')).blocks;

const double = (value: number | string | null) =>
  value === null ? Number.NaN : value === 'inf' ? Infinity : value === '-inf' ? -Infinity : (value as number);

function columnOf(dtype: Dtype, values: (number | string | null)[]): Column {
  switch (dtype) {
    case 'f8':
    case 'i8':
      return { dtype, values: Float64Array.from(values, double) };
    case 'i4':
      return { dtype, values: Int32Array.from(values, (value) => (value as number | null) ?? -1) };
    case 'u4':
      return { dtype, values: Uint32Array.from(values as number[]) };
    case 'u1':
      return { dtype, values: Uint8Array.from(values as number[]) };
    case 'str':
      return { dtype, values: values as string[] };
  }
}

/** The same bytes at every start within eight. */
function shifted(bytes: Uint8Array, by: number): Uint8Array {
  const room = new Uint8Array(bytes.length + by + 8).fill(0xee);
  room.set(bytes, by);
  return room.subarray(by, by + bytes.length);
}

const test = suite('wire/columns');

for (const vector of vectors) {
  test(`golden bytes: ${vector.name}`, () => {
    const columns = vector.columns.map(({ dtype, values }) => columnOf(dtype, values));
    assert.is(Buffer.from(encodeColumns(columns)).toString('hex'), vector.hex);
    for (let by = 0; by < 8; by++) {
      const bytes = shifted(Buffer.from(vector.hex, 'hex'), by);
      const reader = new ColumnReader(bytes);
      for (const column of columns) {
        assert.equal(Array.from<unknown>(reader[column.dtype](vector.n)), Array.from<unknown>(column.values));
      }
      assert.is(reader.offset, bytes.length);
    }
  });
}

test('whole numbers up to 2^53 come back from i8, and are what BigInt64Array reads', () => {
  const whole = fc.oneof(
    fc.maxSafeInteger(),
    fc.constantFrom(0, -1, 2 ** 31, -(2 ** 31), 2 ** 32, -(2 ** 32), Number.NaN),
  );
  fc.assert(
    fc.property(fc.array(whole), (numbers) => {
      const block = encodeColumns([{ dtype: 'i8', values: Float64Array.from(numbers) }]);
      const exact = new BigInt64Array(block.buffer);
      assert.equal(
        [...exact],
        numbers.map((number) => (Number.isNaN(number) ? NULL_I8 : BigInt(number))),
      );
      const back = [...new ColumnReader(block).i8(numbers.length)];
      assert.equal(
        back,
        numbers.map((number) => number + 0),
      );
    }),
  );
});

test('texts come back whatever their characters', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (texts) => {
      const reader = new ColumnReader(encodeColumns([{ dtype: 'str', values: texts }]));
      assert.equal(reader.str(texts.length), texts);
    }),
  );
});

test('a null text has no bytes', () => {
  assert.equal(new ColumnReader(encodeColumns([{ dtype: 'str', values: ['a', null, 'b'] }])).str(3), ['a', '', 'b']);
});

test('a block that is too short is an error, not what happens to lie behind it', () => {
  const block = encodeColumns([{ dtype: 'f8', values: new Float64Array(3) }]);
  assert.throws(
    () => new ColumnReader(block.subarray(0, 16)).f8(3),
    (error: unknown) => error instanceof HeadraceError && error.code === 'internal' && /cut short/.test(error.message),
  );
});

test.run();
