import fc from 'fast-check';
import { Piscina } from 'piscina';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FeatureCache } from '../../src/cache/cache.ts';
import { EventClock } from '../../src/clock.ts';
import type { ErrorBody } from '../../src/errors.ts';
import type { OutputType } from '../../src/registry/view.ts';
import { BlockCollector } from '../../src/serve/block-collector.ts';
import type { RowState } from '../../src/serve/query.ts';
import { Replies } from '../../src/serve/replies.ts';
import { replyText } from '../../src/serve/reply-columns.ts';
import { TextCollector } from '../../src/serve/text-collector.ts';
import { RowWriters } from '../../src/values/json.ts';
import { ROW_HEADER, type Row } from '../../src/values/row.ts';
import { Touched } from '../../src/values/touched.ts';
import { makeBlock, makeView } from './world.ts';

const test = suite('serve/replies');

const error: ErrorBody = { code: 'unavailable', message: 'no "value"\n', temporary: true, retry_after_ms: 10 };
const outputs: OutputType[] = ['float64', 'string', 'int64', 'bool', 'timestamp'];
const view = makeView({}, outputs);

const row = (entityId: string, numbers: number[], text: string | null): Row => ({
  view,
  entityId,
  slab: Float64Array.from([5, 6, 7, Number.NaN, 8, 9, ...numbers]),
  base: 0,
  strings: [null, text, null, null, null],
});

const oneRow = fc.record({
  id: fc.string({ unit: 'grapheme', minLength: 1 }),
  numbers: fc.tuple(fc.double(), fc.constant(0), fc.maxSafeInteger(), fc.integer({ min: 0, max: 1 }), fc.nat()),
  text: fc.option(fc.string({ unit: 'grapheme' })),
  what: fc.constantFrom<RowState | 'failed' | 'absent'>('cached', 'computed', 'stale', 'failed', 'absent'),
});

test('the text made of columns is the text made row by row, to the byte', () => {
  const writers = new RowWriters();
  const select = fc.constantFrom<number[] | null>(null, [3, 1], [0], []);
  fc.assert(
    fc.property(fc.array(oneRow, { maxLength: 8 }), select, (rows, places) => {
      const ids = rows.map(({ id }) => id);
      const writer = writers.of(view, places);
      const text = new TextCollector(ids, writer, null);
      let made = '';
      const block = new BlockCollector(ids, writer.spec, (columns) => {
        made = replyText(columns);
        return Promise.resolve(Buffer.from(made));
      });
      for (const collector of [text, block]) {
        for (const [i, { id, numbers, text: string, what }] of rows.entries()) {
          if (what === 'failed') collector.failed(i, error);
          else if (what !== 'absent') collector.row(i, row(id, numbers, string), what);
        }
      }
      void block.rows();
      assert.is(made, text.rows());
      assert.is(JSON.parse(made).length, rows.filter(({ what }) => what !== 'absent').length);
    }),
  );
});

test('a large reply is made in a thread, with the same bytes; a small one here', async () => {
  const pool = new Piscina({ minThreads: 1, maxThreads: 1 });
  try {
    const replies = new Replies({ pool, writers: new RowWriters(), kept: () => null, largeReplyBytes: 5000 });
    const ids = Array.from({ length: 100 }, (_, i) => `ид${i}`);
    const large = replies.collector(view, null, ids);
    const small = new TextCollector(ids, new RowWriters().of(view, null), null);
    for (const [i, id] of ids.entries()) {
      for (const collector of [large, small]) {
        if (i === 7) collector.failed(i, error);
        else collector.row(i, row(id, [i / 3, 0, i, 1, i * 1e6], `"${i}"`), 'cached');
      }
    }
    assert.is(large.failure, error);
    const bytes = await large.rows();
    assert.ok(Buffer.isBuffer(bytes));
    assert.is(bytes.toString(), small.rows());
    assert.type(replies.collector(view, null, ids.slice(0, 2)).rows(), 'string');
  } finally {
    await pool.destroy();
  }
});

test('a thread that fails fails the reply', async () => {
  const pool = { run: () => Promise.reject(new Error('no thread')) };
  const replies = new Replies({ pool, writers: new RowWriters(), kept: () => null, largeReplyBytes: 1 });
  try {
    await replies.collector(view, null, ['A']).rows();
    assert.unreachable();
  } catch (cause) {
    assert.is((cause as Error).message, 'no thread');
  }
});

test('the kept text of a cached row is used for whole rows alone', () => {
  const writers = new RowWriters();
  const clock = new EventClock();
  const plain = makeView();
  const cache = new FeatureCache({
    clock,
    touched: new Touched(),
    codes: { codeOf: () => -1 },
    writers,
    entriesMax: 10,
    bytesMax: 1e6,
  });
  const kept = cache.store(plain, 'ORD', -1, makeBlock(plain, 1, 0, [['ORD', [1, 2]]]), 0, 1, 1);
  const replies = new Replies({
    pool: { run: () => Promise.reject(new Error('unused')) },
    writers,
    kept: (of) => cache.keptText(of),
    largeReplyBytes: 1e6,
  });
  const textOf = (select: number[] | null, state: RowState): string => {
    const collector = replies.collector(plain, select, ['ORD']);
    collector.row(0, kept, state);
    return collector.rows() as string;
  };
  cache.text(kept);
  // A mark that only the kept text has: the numbers have moved on meanwhile.
  kept.slab[kept.base + ROW_HEADER] = 77;
  assert.is(JSON.parse(textOf(null, 'cached'))[0].features.events, 1);
  assert.is(JSON.parse(textOf(null, 'computed'))[0].features.events, 77);
  assert.equal(JSON.parse(textOf([0], 'cached'))[0].features, { events: 77 });
  assert.is(JSON.parse(textOf(null, 'stale'))[0].stale, true);
});

test.run();
