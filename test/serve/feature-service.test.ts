import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HeadraceError } from '../../src/errors.ts';
import type { Logger } from '../../src/fleet/logger.ts';
import type { Registry, RequestFeature, RequestInput, View } from '../../src/registry/view.ts';
import { featureService } from '../../src/serve/feature-service.ts';
import type { Query } from '../../src/serve/query.ts';
import { Replies } from '../../src/serve/replies.ts';
import type { Answer } from '../../src/wire/service.ts';
import { makeView, World, type WorldOptions } from './world.ts';

const test = suite('serve/feature-service');

/** The usual view, whose requests bring inputs of every kind; one of their features needs the fleet. */
function withRequest(): View {
  const view = makeView();
  const features: RequestFeature[] = [
    { name: 'amount2', output: 'float64', expression: ['*', ['input', 'amount'], 2], runs: 'main' },
    { name: 'amount_log', output: 'float64', expression: ['log', ['input', 'amount']], runs: 'fleet' },
  ];
  const inputs: RequestInput[] = [
    { name: 'amount', type: 'float' },
    { name: 'at', type: 'timestamp' },
    { name: 'tag', type: 'category' },
    { name: 'ok', type: 'bool' },
  ];
  return { ...view, request: features, plan: { ...view.plan, request: { inputs, features } } };
}

const pool = { run: () => Promise.reject(new Error('no thread')) };

function setup(options: WorldOptions = {}) {
  const world = new World(options);
  const { cache, serve, writers } = world;
  const replies = new Replies({ pool, writers, kept: (row) => cache.keptText(row), largeReplyBytes: 2000 });
  const { view } = world;
  const services = new Map([['model', { name: 'model', view }]]);
  const registry = { views: new Map([[view.name, [view]]]), services } as unknown as Registry;
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
  return { world, answers, told, ask, warnings };
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

const nothing = { request: undefined, service: undefined, deprecated: undefined };

test('names, times and what is left out become a query', () => {
  const { world, answers } = setup();
  assert.equal(answers.resolve({ entity_ids: ['ORD'] }), world.query(['ORD'], nothing));
  const request = { entity_ids: ['A', 'B'], features: ['f1'], timeout_ms: 7, as_of: '2001-01-01T00:00:00Z' };
  assert.equal(
    answers.resolve({ ...request, position: 3, min_position: 2 }),
    world.query(['A', 'B'], {
      select: [1],
      timeoutMs: 7,
      asOf: 978_307_200e6,
      position: 3,
      minPosition: 2,
      ...nothing,
    }),
  );
});

test('features of the request: all or those named, with its inputs and its time', () => {
  const { world, answers } = setup({ view: withRequest() });
  const ask = (more: object) => answers.resolve({ entity_ids: ['ORD'], ...more });
  const now = world.clock.now();
  assert.equal(ask({ request: { at: '1970-01-01T00:00:01Z', tag: 5 } }).request, {
    features: [0, 1],
    order: [0, 1],
    inputs: [null, 1e6, '5', null],
    askedAt: now,
    fleet: true,
  });
  const { select, request } = ask({ features: ['amount2', 'f1'], request: { amount: 1.5, ok: true } });
  assert.equal(select, [1]);
  assert.equal(request, { features: [0], order: [0], inputs: [1.5, null, null, 1], askedAt: now, fleet: false });
  assert.is(ask({ features: ['f1'], request: { amount: 1 } }).request, undefined);
  for (const moment of [{ as_of: '2001-01-01' }, { position: 3 }]) {
    assert.is(ask(moment).request!.askedAt, Number.NEGATIVE_INFINITY);
  }
  assert.is(answers.hot(ask({})), null, 'no kept text holds what depends on the request');
});

for (const [what, request, code, path] of [
  ['an input that is not declared', { amuont: 1 }, 'unknown_input', undefined],
  ['a number that is none', { amount: 'x' }, 'invalid_input', 'request.amount'],
  ['an infinite number', { amount: Number.POSITIVE_INFINITY }, 'invalid_input', 'request.amount'],
  ['a number for true or false', { ok: 1 }, 'invalid_input', 'request.ok'],
  ['a time that is none', { at: 'noon' }, 'invalid_input', 'request.at'],
  ['an object for a text', { tag: {} }, 'invalid_input', 'request.tag'],
] as const) {
  test(`${what}: ${code}`, () => {
    const { answers } = setup({ view: withRequest() });
    let found: HeadraceError | undefined;
    try {
      answers.resolve({ entity_ids: ['ORD'], request });
    } catch (error) {
      found = error as HeadraceError;
    }
    assert.is(found?.code, code);
    assert.is((found?.data as { path: string } | undefined)?.path, path);
  });
}

test('an input that is declared and that the version does not use may be brought', () => {
  const { answers } = setup({ view: { ...withRequest(), unusedInputs: [{ name: 'seats', type: 'int' }] } });
  assert.equal(answers.resolve({ entity_ids: ['ORD'], request: { seats: 2, amount: 1.5 } }).request!.inputs, [
    1.5,
    null,
    null,
    null,
  ]);
  assert.throws(
    () => answers.resolve({ entity_ids: ['ORD'], request: { seats: 'two' } }),
    (error: HeadraceError) => error.code === 'invalid_input',
  );
});

test('a service stands in the place of view, version and features', () => {
  const { world, answers } = setup();
  const query = answers.resolve({ entity_ids: ['ORD'], service: 'model' });
  assert.is(query.view, world.view);
  assert.is(query.service, 'model');
  for (const more of [{ view: 'airport_delay' }, { version: 'v1' }, { features: ['f1'] }]) {
    assert.throws(
      () => answers.resolve({ entity_ids: ['ORD'], service: 'model', ...more }),
      (error: HeadraceError) => error.code === 'bad_request',
    );
  }
  assert.throws(
    () => answers.resolve({ entity_ids: ['ORD'], service: 'modle' }),
    (error: HeadraceError) => error.code === 'unknown_service' && error.message.includes('did you mean "model"?'),
  );
});

test('a deprecated version is told at each request from its date on, and logged once an hour', () => {
  // The wall clock of the tests begins on 2001-09-09 at 01:46:40.
  const { world, answers, warnings } = setup({ view: makeView({ deprecated: '2001-09-10' }) });
  const told = () => answers.resolve({ entity_ids: ['ORD'] }).deprecated;
  assert.is(told(), undefined);
  world.timers.advance(23 * 3_600_000);
  assert.equal([told(), told()], ['2001-09-10', '2001-09-10']);
  assert.equal(warnings, [{ view: 'airport_delay', version: 'v1', deprecated: '2001-09-10' }]);
  world.timers.advance(3_599_999);
  told();
  assert.is(warnings.length, 1);
  world.timers.advance(1);
  told();
  assert.is(warnings.length, 2);
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
