import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HeadraceError } from '../../src/errors.ts';
import type { Logger } from '../../src/fleet/logger.ts';
import type { Registry } from '../../src/registry/view.ts';
import { featureService } from '../../src/serve/feature-service.ts';
import type { Query } from '../../src/serve/query.ts';
import { Replies } from '../../src/serve/replies.ts';
import type { Answer } from '../../src/wire/service.ts';
import { World } from './world.ts';

const test = suite('serve/feature-service');

function setup(pool = { run: () => Promise.reject(new Error('no thread')) }) {
  const world = new World();
  const { cache, serve, writers } = world;
  const replies = new Replies({ pool, writers, kept: (row) => cache.keptText(row), largeReplyBytes: 2000 });
  const { view } = world;
  const registry = { views: new Map([[view.name, [view]]]) } as unknown as Registry;
  const warnings: object[] = [];
  const logger = { warn: (fields: object) => warnings.push(fields) } as unknown as Logger;
  const answers = featureService({
    clock: world.clock,
    wallMicros: () => world.timers.wallMicros(),
    logger,
    registry: () => registry,
    serve,
    replies,
    timeoutMs: 5000,
  });
  const told: { error: HeadraceError | null; answer: Answer | null }[] = [];
  const ask = (query: Query) => answers.answer(query, (error, answer) => told.push({ error, answer }));
  return { world, answers, told, ask };
}

test('one entity: computed, then cached, then hot, each the same row', () => {
  const { world, answers, told, ask } = setup();
  const query = world.query(['ORD']);
  assert.is(answers.hot(query), null);
  ask(query);
  world.settle();
  ask(query);
  const [computed, cached] = told.map(({ answer }) => answer!);
  assert.equal([computed!.state, cached!.state], ['computed', 'cached']);
  assert.is(cached!.rows, `[${answers.hot(query)}]`);
  assert.is(computed!.rows, String(cached!.rows).replace('"cached":true', '"cached":false'));
  assert.is(computed!.failed, null);
});

test('names, times and what is left out become a query', () => {
  const { world, answers } = setup();
  assert.equal(answers.resolve({ entity_ids: ['ORD'] }), world.query(['ORD']));
  const request = { entity_ids: ['A', 'B'], features: ['f1'], timeout_ms: 7, as_of: '2001-01-01T00:00:00Z' };
  assert.equal(
    answers.resolve({ ...request, position: 3, min_position: 2 }),
    world.query(['A', 'B'], { select: [1], timeoutMs: 7, asOf: 978_307_200e6, position: 3, minPosition: 2 }),
  );
});

test('hot is for one whole row of now alone', () => {
  const { world, answers, ask } = setup();
  ask(world.query(['ORD', 'ATL']));
  world.settle();
  assert.ok(answers.hot(world.query(['ORD'])) !== null);
  for (const over of [{ select: [0] }, { asOf: 1e9 }, { position: 0 }, { minPosition: 1 }]) {
    assert.is(answers.hot(world.query(['ORD'], over)), null);
  }
  assert.is(answers.hot(world.query(['ORD', 'ATL'])), null);
});

test('what concerns the whole request, an entity, or the making of the text is told apart', async () => {
  const { world, told, ask } = setup();
  ask(world.query(['ORD'], { position: 9 }));
  assert.is(told[0]!.error!.code, 'unknown_position');
  ask(world.query(['ORD'], { timeoutMs: 5 }));
  world.timers.advance(5);
  assert.is(told[1]!.answer!.failed!.code, 'unavailable');
  assert.is(JSON.parse(String(told[1]!.answer!.rows))[0].error.code, 'unavailable');
  ask(world.query(Array.from({ length: 50 }, (_, i) => `E${i}`)));
  world.settle();
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(told[2]!.error!.code, 'internal');
  assert.is(told.length, 3);
});

test.run();
