/** Rows that workers make for one request, with the features that depend on it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ErrorBody } from '../../src/errors.ts';
import type { Collector, Query, RowState } from '../../src/serve/query.ts';
import { AS_OF, ROW_HEADER } from '../../src/values/row.ts';
import { makeView, SECOND, World } from './world.ts';

const test = suite('serve/request-rows');

/** Two features of the request that only workers make. */
const OWN = makeView({ request: ['a', 'b'].map((name) => ({ name, output: 'float64' as const })) });

/** A query of such features, and what came: the numbers of each row from its first feature on. */
function askOwn(world: World, inputs: number[], over: Partial<Query> = {}) {
  const got: { rows: number[][]; asOf: number[]; states: RowState[]; errors: ErrorBody[]; done: number } = {
    rows: [],
    asOf: [],
    states: [],
    errors: [],
    done: 0,
  };
  const part = { features: [0, 1], order: [0, 1], inputs, askedAt: world.clock.now(), fleet: true };
  const collector: Collector = {
    row: (_, { slab, base }, state) => {
      got.rows.push([...slab.subarray(base + ROW_HEADER)]);
      got.asOf.push(slab[base + AS_OF]!);
      got.states.push(state);
    },
    failed: (_, error) => got.errors.push(error),
  };
  world.serve.get(world.query(['ORD'], { request: part, ...over }), collector, () => got.done++);
  return got;
}

test('a row that workers make for one request is nobody else’s', () => {
  const world = new World({ view: OWN });
  world.commit('ORD');
  world.get(['ORD']);
  world.settle();
  const first = askOwn(world, [1, 2]);
  const second = askOwn(world, [3, 4]);
  const plain = world.get(['ORD']);
  assert.is(plain.rows[0]!.state, 'cached', 'the row in the cache still serves those who take it');
  assert.is(world.queue.length, 2, 'each has a job of its own');
  world.commit('ORD');
  world.clock.advance(1500 * SECOND);
  world.settle();
  const asOf = 1500 * SECOND;
  assert.equal(first, { rows: [[2, 0.5, 1, 2, asOf]], asOf: [asOf], states: ['computed'], errors: [], done: 1 });
  assert.equal(second.rows, [[2, 0.5, 3, 4, asOf]]);
  const after = world.get(['ORD']);
  assert.is(after.rows.length, 0, 'none of these rows went to the cache: the one there is dirty');
  world.settle();
  assert.is(world.serve.flights, 0);
});

test('a row made for one request at one moment is of that moment', () => {
  const world = new World({ view: OWN });
  world.commit('ORD');
  world.commit('ORD');
  const then = askOwn(world, [1, 2], { asOf: 900 * SECOND, position: 1 });
  world.settle();
  assert.equal(then.rows, [[1, 0.5, 1, 2, 900 * SECOND]]);
});

test('a request whose features only workers make fails at its deadline rather than take another row', () => {
  const world = new World({ view: OWN });
  world.get(['ORD']);
  world.settle();
  const late = askOwn(world, [1, 2], { timeoutMs: 50 });
  world.timers.advance(50);
  assert.equal([late.rows, late.errors.map(({ code }) => code), late.done], [[], ['unavailable'], 1]);
  world.settle();
  const lost = askOwn(world, [1, 2]);
  const error: ErrorBody = { code: 'internal', message: 'no', temporary: true };
  world.serve.failed(world.send().jobs, error);
  assert.equal([lost.rows, lost.errors, lost.done], [[], [error], 1]);
  assert.is(world.serve.flights, 0);
  assert.is(world.timers.pending, 0);
});

test.run();
