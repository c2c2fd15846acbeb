import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Expression, OutputType, RequestFeature, RequestInput, View } from '../../src/registry/view.ts';
import { requestFeaturesOf } from '../../src/serve/request-features.ts';
import { AS_OF, ROW_HEADER, type Row } from '../../src/values/row.ts';
import { makeView } from './world.ts';

const test = suite('serve/request-features');

interface Case {
  note?: string;
  tree: Expression;
  values: Record<string, number | string>;
  inputs: Record<string, number | string | boolean>;
  now: number;
  result: number | null;
}

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/request.json', import.meta.url), 'utf8')) as {
  values: { name: string; output: OutputType }[];
  inputs: RequestInput[];
  cases: Case[];
  drawn: Case[];
};

function viewOf(features: RequestFeature[], inputs = VECTORS.inputs, stored = VECTORS.values): View {
  const view = makeView();
  return { ...view, features: stored, request: features, plan: { ...view.plan, request: { inputs, features } } };
}

function rowOf(view: View, values: Case['values'], asOf = Number.NEGATIVE_INFINITY): Row {
  const slab = new Float64Array(ROW_HEADER + view.features.length).fill(Number.NaN);
  slab[AS_OF] = asOf;
  const strings: (string | null)[] = view.features.map(() => null);
  for (const [place, { name }] of view.features.entries()) {
    const value = values[name];
    if (typeof value === 'string') strings[place] = value;
    else if (value !== undefined) slab[ROW_HEADER + place] = value;
  }
  return { view, entityId: 'ORD', slab, base: 0, strings };
}

const feature = (name: string, expression: Expression, output: OutputType = 'float64'): RequestFeature => ({
  name,
  output,
  expression,
  runs: 'main',
});

function evaluate({ tree, values, inputs, now }: Case): number {
  const view = viewOf([feature('result', tree)]);
  const given = VECTORS.inputs.map(({ name }) => {
    const value = inputs[name] ?? null;
    return typeof value === 'boolean' ? Number(value) : value;
  });
  const features = requestFeaturesOf(view);
  const part = { features: [0], inputs: given, askedAt: now, ...features.needs([0]) };
  const { slab } = features.extend(rowOf(view, values), part);
  return slab[ROW_HEADER + view.features.length]!;
}

for (const one of VECTORS.cases) {
  test(`${one.note}: ${JSON.stringify(one.tree)} is ${one.result}`, () => {
    assert.ok(Object.is(evaluate(one), one.result ?? Number.NaN), `${evaluate(one)}`);
  });
}

test(`${VECTORS.drawn.length} drawn expressions give the bits that Python gives`, () => {
  assert.ok(VECTORS.drawn.length > 300);
  for (const one of VECTORS.drawn) {
    const value = evaluate(one);
    assert.ok(Object.is(value, one.result ?? Number.NaN), `${JSON.stringify(one)}: ${value}`);
  }
});

test('a feature of the request may stand in another, and be asked for by itself', () => {
  const view = viewOf([
    feature('double', ['*', ['input', 'amount'], 2]),
    feature('unwanted', ['now']),
    feature('ratio', ['/', ['ref', 'double'], ['ref', 'a']]),
  ]);
  const features = requestFeaturesOf(view);
  const needs = features.needs([2]);
  assert.equal(needs, { order: [0, 2], fleet: false });
  const part = { features: [2], inputs: [3, null, null, null], askedAt: 5, ...needs };
  const { slab } = features.extend(rowOf(view, { a: 4 }), part);
  assert.is(slab[ROW_HEADER + view.features.length + 2], 1.5);
});

test('a text can be a feature, and be compared with in another', () => {
  const view = viewOf([
    feature('channel', ['input', 'channel'], 'string'),
    feature('is_web', ['==', ['ref', 'channel'], ['text', 'web']], 'bool'),
  ]);
  const features = requestFeaturesOf(view);
  for (const [channel, isWeb] of [
    ['web', 1],
    ['app', 0],
    [null, Number.NaN],
  ] as const) {
    const part = { features: [0, 1], inputs: [null, channel, null, null], askedAt: 5, ...features.needs([0, 1]) };
    const { slab, strings } = features.extend(rowOf(view, {}), part);
    const stored = view.features.length;
    assert.is(strings![stored], channel);
    assert.ok(Object.is(slab[ROW_HEADER + stored + 1], isWeb));
  }
});

test('what one part needs the fleet for, all of it does', () => {
  const log: RequestFeature = { ...feature('log', ['log', ['input', 'amount']]), runs: 'fleet' };
  const view = viewOf([
    log,
    feature('hour', ['hour_of_day', 'UTC', ['now']]),
    feature('half', ['/', ['ref', 'log'], 2]),
  ]);
  const fleet = (...wanted: number[]) => requestFeaturesOf(view).needs(wanted).fleet;
  assert.equal([fleet(0), fleet(1), fleet(2), fleet(1, 2)], [true, false, true, true]);
});

test('the time of a request is never before that of its row', () => {
  const view = viewOf([feature('now', ['now'], 'timestamp')]);
  const features = requestFeaturesOf(view);
  const at = (askedAt: number, asOf: number) => {
    const part = { features: [0], inputs: [null, null, null, null], askedAt, ...features.needs([0]) };
    const { slab } = features.extend(rowOf(view, {}, asOf), part);
    const [now, requestTime] = slab.subarray(ROW_HEADER + view.features.length);
    assert.is(now, requestTime);
    return now;
  };
  assert.equal([at(10, 7), at(10, 12), at(Number.NEGATIVE_INFINITY, 3)], [10, 12, 3]);
});

test.run();
