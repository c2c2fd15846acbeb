import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findPython } from '../../src/python.ts';
import { type Engine, Lab } from './lab.ts';

const path = (name: string) => fileURLToPath(new URL(`../../examples/fraud/${name}`, import.meta.url));
const LOADED_UNTIL = '2026-02-02T00:00:00Z';

const run = promisify(execFile);
const test = suite('card fraud');
const lab = new Lab();
let engine: Engine;

test.before(async () => {
  await run(findPython(''), [path('generate.py'), lab.path('fraud')]);
  const load = ['--load', `transactions=${lab.path('fraud/transactions.parquet')}`, '--load-until', LOADED_UNTIL];
  engine = await lab.engine('data', [...load, '--workers', '2'], path('features.yaml'));
});
test.after(() => lab.close());

test('the payments are the same ones every time', async () => {
  await run(findPython(''), [path('generate.py'), lab.path('again')]);
  for (const name of ['transactions.parquet', 'fraud.json']) {
    assert.ok(readFileSync(lab.path(`fraud/${name}`)).equals(readFileSync(lab.path(`again/${name}`))), name);
  }
});

test('planted fraud stands out, and the features are those of plain pandas', async () => {
  const { stdout } = await run(findPython(''), [path('check.py'), lab.path('fraud'), '--url', engine.url]);
  assert.match(stdout, 'All 32 frauds stand out');
});

test('the model is given what belongs to the payment at hand', async () => {
  const ask = async (amount: number): Promise<Record<string, number>> => {
    const body = { service: 'fraud_model', entity_id: 'card-0042', request: { amount } };
    const response = await engine.post('/features', body);
    return ((await response.json()) as { features: Record<string, number> }).features;
  };
  const [small, large] = [await ask(20), await ask(900)];
  assert.ok(large['amount_now_z']! > 5 && small['amount_now_z']! < 5, JSON.stringify([small, large]));
  assert.is(small['amount_z'], large['amount_z']);
  assert.is(small['country_hops'], 0);
});

test.run();
