/** One plan with every aggregation and function, which the Python tests compute. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AGGREGATIONS, FUNCTIONS } from '../../src/registry/feature-words.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import type { Plan } from '../../src/registry/view.ts';

const vector = JSON.parse(readFileSync(new URL('../vectors/plan.json', import.meta.url), 'utf8'));
const plan: Plan = vector.plan;

test('the registry is compiled into the plan', () => {
  assert.equal(parseRegistry(vector.registry.join('\n'), 'features.yaml').views.get('all')![0]!.plan, plan);
});

test('every aggregation and function is in it, and no other', () => {
  const words = (key: 'aggregation' | 'function') =>
    [...new Set(plan.features.flatMap((one) => (key in one ? [(one as never)[key] as string] : [])))].toSorted();
  assert.equal(words('aggregation'), Object.keys(AGGREGATIONS).toSorted());
  assert.equal(words('function'), Object.keys(FUNCTIONS).toSorted());
});

test.run();
