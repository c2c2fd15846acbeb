import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PythonFeature, View } from '../../src/registry/view.ts';
import type { FeatureFailure } from '../../src/wire/frames.ts';
import { settled } from './hand-timers.ts';
import { job, makeFleet, registry, type Setup, view } from './setup.ts';

const test = suite('fleet/failures');

const MESSAGE = 'delays.py:12, late_share: ZeroDivisionError: division by zero';
const python = (name: string): PythonFeature => ({
  name,
  type: 'python',
  output: 'float64',
  source: 's',
  window: { time: 1 },
  function: `delays:${name}`,
  result: null,
  digest: '',
  fields: [],
  timeout_ms: 100,
});
const failing: View = { ...view, plan: { ...view.plan, features: [python('late_share'), python('worst')] } };

async function fail(setup: Setup, failures: FeatureFailure[]): Promise<void> {
  setup.fleet.compute([job(1, { view: failing, deadlineMs: Number.POSITIVE_INFINITY })]);
  await settled();
  setup.crew.at(0).answer({ failures });
  await settled();
}

const failure = (changes: Partial<FeatureFailure> = {}): FeatureFailure => ({
  feature: 0,
  rows: 2,
  reason: 'raised',
  message: MESSAGE,
  ...changes,
});

const warnings = ({ logged }: Setup) => logged.filter(({ level }) => level === 'warn');

test('failures are counted by kind and shown with the newest message', async () => {
  const setup = await makeFleet({ workers: 1 });
  assert.equal(setup.fleet.status().failures, []);
  await fail(setup, [failure(), failure({ feature: 1, reason: 'timed_out', message: 'slow' })]);
  await fail(setup, [failure({ rows: 3, message: 'delays.py:13, late_share: ValueError: no' })]);
  const at = { view: 'things', version: 'v1', as_of: '1970-01-01T00:00:01.000000Z' };
  const [raised, timedOut] = setup.fleet.status().failures;
  assert.equal(raised, {
    ...at,
    feature: 'late_share',
    reason: 'raised',
    rows: 5,
    message: 'delays.py:13, late_share: ValueError: no',
  });
  assert.equal(timedOut, { ...at, feature: 'worst', reason: 'timed_out', rows: 2, message: 'slow' });
  await setup.fleet.drain();
});

test('the first failure of a kind is logged at once, those that follow once a minute with their number', async () => {
  const setup = await makeFleet({ workers: 1 });
  await fail(setup, [failure()]);
  for (let i = 0; i < 5; i++) await fail(setup, [failure()]);
  assert.equal(warnings(setup), [
    {
      level: 'warn',
      message: 'a Python feature failed',
      fields: { view: 'things@v1', feature: 'late_share', reason: 'raised', rows: 2, error: MESSAGE },
    },
  ]);
  await setup.timers.advance(61_000);
  await fail(setup, [failure({ rows: 1 })]);
  await fail(setup, [failure({ reason: 'wrong_output', message: 'other' })]);
  const [, again, other] = warnings(setup);
  assert.equal(again!.message, 'a Python feature still fails');
  assert.is((again!.fields as { rows: number }).rows, 11);
  assert.is((other!.fields as { reason: string }).reason, 'wrong_output');
  await setup.fleet.drain();
});

test('what another definition does not do is forgotten at a reload', async () => {
  const setup = await makeFleet({ workers: 1 });
  await fail(setup, [failure()]);
  setup.fleet.reload({ ...registry, views: new Map([['things', [view]]]) }, [], {});
  assert.is(setup.fleet.status().failures.length, 1, 'the hash is still served');
  setup.fleet.reload({ ...registry, views: new Map() }, [], {});
  assert.equal(setup.fleet.status().failures, []);
  await setup.fleet.drain();
});

test.run();
