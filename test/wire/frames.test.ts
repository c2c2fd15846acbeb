import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { type Column, ColumnReader, type Dtype, encodeColumns } from '../../src/wire/columns.ts';
import { decodeFrame, encodeFrame, FRAME, type FrameType, WIRE_VERSION } from '../../src/wire/frames.ts';

interface Vector {
  name: string;
  type: FrameType;
  header: object;
  body: { n: number; columns: { dtype: Dtype; values: (number | string | null)[] }[] }[];
  hex: string;
}

const vectors: Vector[] = JSON.parse(readFileSync(new URL('../vectors/frames.json', import.meta.url), 'utf8')).frames;

const bytesOf = (vector: Vector) => new Uint8Array(Buffer.from(vector.hex, 'hex'));

function columnOf(dtype: Dtype, values: (number | string | null)[]): Column {
  if (dtype === 'str') return { dtype, values: values as string[] };
  if (dtype === 'f8' || dtype === 'i8') return { dtype, values: Float64Array.from(values, (v) => Number(v ?? NaN)) };
  if (dtype === 'i4') return { dtype, values: Int32Array.from(values, (v) => Number(v ?? -1)) };
  if (dtype === 'u4') return { dtype, values: Uint32Array.from(values as number[]) };
  return { dtype, values: Uint8Array.from(values as number[]) };
}

const blocksOf = (vector: Vector) =>
  vector.body.map((block) => encodeColumns(block.columns.map(({ dtype, values }) => columnOf(dtype, values))));

function fails(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => decodeFrame(bytes),
    (error: unknown) => error instanceof HeadraceError && error.code === 'internal' && message.test(error.message),
  );
}

const test = suite('wire/frames');

test('there is a golden frame of every type', () => {
  assert.equal(
    Object.keys(FRAME).filter((type) => !vectors.some((vector) => vector.type === type)),
    [],
  );
});

for (const vector of vectors) {
  test(`golden bytes are read: ${vector.name}`, () => {
    const frame = decodeFrame(bytesOf(vector));
    assert.is(frame.type, vector.type);
    assert.equal(frame.header, vector.header);
    const reader = new ColumnReader(frame.body);
    for (const { n, columns } of vector.body) {
      for (const { dtype, values } of columns) {
        assert.equal(Array.from<unknown>(reader[dtype](n)), Array.from<unknown>(columnOf(dtype, values).values as []));
      }
    }
    assert.is(reader.offset, frame.body.byteLength);
  });

  test(`what is written is read again, and its body is the golden body: ${vector.name}`, () => {
    const written = encodeFrame(vector.type, vector.header as never, blocksOf(vector));
    assert.is(written[1], WIRE_VERSION);
    assert.is(written.byteLength % 8, 0);
    const again = decodeFrame(written);
    assert.is(again.type, vector.type);
    assert.equal(again.header, vector.header);
    assert.is(again.body.byteOffset % 8, 0);
    assert.equal(Buffer.from(again.body), Buffer.from(decodeFrame(bytesOf(vector)).body));
  });
}

test('blocks of any length start at a multiple of eight', () => {
  const frame = decodeFrame(encodeFrame('drain', {}, [Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)]));
  assert.equal([...frame.body], [1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0]);
});

test('bytes that are no frame are refused with what is wrong', () => {
  const good = encodeFrame('error', { id: 1, code: 'internal', message: 'text' });
  const changed = (at: number, byte: number) => good.map((old, i) => (i === at ? byte : old));
  fails(good.subarray(0, 7), /7 bytes/);
  fails(changed(0, 99), /99 is no type/);
  fails(changed(1, 2), /version 2 where 1/);
  fails(changed(5, 0xff), /cut short/);
  fails(changed(8, 0xc1), /not MessagePack/);
  fails(changed(8, 0x90), /not MessagePack|not a map/);
});

test.run();
