import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TextCodes } from '../../src/store/text-codes.ts';

test('codes are those of an array and a map, through growth and every way back', () => {
  const text = fc.oneof(fc.string({ maxLength: 3 }), fc.string({ unit: 'binary', maxLength: 40 }));
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ give: fc.array(text, { maxLength: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ keep: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  );
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 50 }), fc.array(step, { maxLength: 20 }), (first, steps) => {
      const codes = new TextCodes([...first]);
      let wanted = [...first];
      const seen = new Set(first);
      for (const one of steps) {
        if ('keep' in one) {
          wanted = wanted.slice(0, Math.floor(one.keep * wanted.length));
          codes.truncate(wanted.length);
        } else {
          for (const value of one.give) {
            seen.add(value);
            if (!wanted.includes(value)) wanted.push(value);
            assert.is(codes.give(value), wanted.indexOf(value));
          }
        }
        assert.equal(codes.values, wanted);
        for (const value of seen) assert.is(codes.codeOf(value), wanted.indexOf(value));
      }
    }),
  );
});

test('a hundred thousand texts that differ in a digit are told apart', () => {
  const codes = new TextCodes();
  for (let i = 0; i < 100_000; i++) assert.is(codes.give(`device-${i}`), i);
  for (let i = 0; i < 100_000; i += 7) assert.is(codes.codeOf(`device-${i}`), i);
  assert.is(codes.codeOf('device-100000'), -1);
});

test.run();
