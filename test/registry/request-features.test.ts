import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeRegistry } from '../../src/registry/describe.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import { COUNT, registryText, viewOf } from './registry-text.ts';

const INPUTS = ['request: { amount: float, card: category, booked: timestamp, express: bool }'];
const LAST_AT = 'due_last: { type: statistical, source: orders, field: due, aggregation: last }';
const COLOUR = 'colour: { type: statistical, source: orders, field: colour, aggregation: last }';

test('functions of time: of the request, of an input, of a feature', () => {
  const { plan } = viewOf(
    [
      'hour: { type: request, function: hour_of_day }',
      'weekend: { type: request, function: is_weekend, timezone: America/Chicago, of: booked }',
      'month: { type: request, function: month, of: due_last }',
      'since: { type: request, function: time_since, of: due_last }',
      LAST_AT,
    ],
    INPUTS,
  );
  assert.equal(
    plan.features.map(({ name }) => name),
    ['due_last'],
  );
  assert.equal(plan.order, [0]);
  assert.equal(plan.request, {
    inputs: [{ name: 'booked', type: 'timestamp' }],
    features: [
      { name: 'hour', output: 'float64', expression: ['hour_of_day', 'UTC', ['now']], runs: 'main' },
      {
        name: 'weekend',
        output: 'bool',
        expression: ['is_weekend', 'America/Chicago', ['input', 'booked']],
        runs: 'main',
      },
      { name: 'month', output: 'float64', expression: ['month', 'UTC', ['ref', 'due_last']], runs: 'main' },
      { name: 'since', output: 'float64', expression: ['time_since', ['ref', 'due_last']], runs: 'main' },
    ],
  });
});

test('what refers to the request depends on it, at any distance, and stands behind what it refers to', () => {
  const view = viewOf(
    [
      'far: { type: expression, expression: log(ratio) + n }',
      'ratio: { type: expression, expression: amount / n }',
      COUNT,
      'twice: { type: expression, expression: n * 2 }',
      'night: { type: expression, expression: hour_of_day() < 6, description: At night }',
    ],
    INPUTS,
  );
  assert.equal(view.features, [
    { name: 'n', output: 'int64' },
    { name: 'twice', output: 'float64' },
  ]);
  assert.equal(view.plan.order, [0, 1]);
  assert.equal(view.request, [
    { name: 'ratio', output: 'float64' },
    { name: 'far', output: 'float64' },
    { name: 'night', output: 'bool', description: 'At night' },
  ]);
  assert.equal(
    view.plan.request!.features.map(({ runs }) => runs),
    ['main', 'fleet', 'main'],
  );
  assert.equal(view.plan.request!.inputs, [{ name: 'amount', type: 'float' }]);
});

test('a request feature may refer to stored features alone, and to texts and times', () => {
  const { plan } = viewOf([
    COUNT,
    COLOUR,
    LAST_AT,
    'red: { type: request, expression: "colour == \'red\' and n > 1" }',
    'noon: { type: request, expression: "hour_of_day(due_last, \'Asia/Kathmandu\') == 12" }',
  ]);
  assert.equal(plan.request!.inputs, []);
  assert.equal(plan.request!.features[0]!.expression, [
    'and',
    ['==', ['ref', 'colour'], ['text', 'red']],
    ['>', ['ref', 'n'], 1],
  ]);
});

test('a view without request features has no request part, whatever its inputs', () => {
  const view = viewOf([COUNT], INPUTS);
  assert.not('request' in view.plan);
  assert.equal(view.request, []);
  assert.is(view.hash, viewOf([COUNT]).hash);
  assert.equal(
    view.unusedInputs?.map(({ name }) => name),
    ['amount', 'card', 'booked', 'express'],
    'a request may bring them',
  );
});

test('the hash covers what is made of the request', () => {
  const hash = (expression: string, inputs = INPUTS) =>
    viewOf([COUNT, `r: { type: expression, expression: ${expression} }`], inputs).hash;
  const first = hash('amount / n');
  assert.is(hash('amount/n'), first);
  assert.is.not(hash('amount * n'), first);
  assert.is.not(hash('amount / n', ['request: { amount: int }']), first);
  assert.is(hash('amount / n', ['request: { amount: float }']), first, 'other inputs do not count');
});

test('request features are described beside the others', () => {
  const text = registryText([COUNT, 'r: { type: expression, expression: amount / n, description: Share }'], INPUTS);
  const { views } = describeRegistry(parseRegistry(text, 'features.yaml'));
  const [version] = views[0]!.versions;
  assert.equal(version!.inputs, { amount: 'float' });
  assert.equal(
    version!.features.map(({ name }) => name),
    ['n', 'r'],
  );
  assert.equal(version!.features[1], {
    name: 'r',
    type: 'request',
    output: 'float64',
    description: 'Share',
    definition: { expression: 'amount / n', runs: 'main' },
  });
});

test.run();
