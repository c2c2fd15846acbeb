import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadRegistry } from '../../src/registry/load.ts';
import { validateCommand } from '../../src/registry/validate-command.ts';

const FLIGHTS = fileURLToPath(new URL('../../examples/flights/features.yaml', import.meta.url));
const WRONG = fileURLToPath(new URL('wrong/clock-sources.yaml.txt', import.meta.url));

async function run(path: string): Promise<{ status: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const status = await validateCommand(
    path,
    {},
    (text) => {
      out += text;
    },
    (text) => {
      err += text;
    },
  );
  return { status, out, err };
}

test('a valid file: status 0 and what was found, on standard output', async () => {
  const { status, out, err } = await run(FLIGHTS);
  assert.is(status, 0);
  assert.is(err, '');
  const [v1, v2] = (await loadRegistry(FLIGHTS)).views.get('airport_delay')!;
  assert.match(out, 'valid; project flights, event clock');
  assert.match(out, `v1  ${v1!.hash}  ${v1!.features.length} features`);
  assert.match(out, `v2  ${v2!.hash}  ${v2!.features.length} features`);
});

test('a wrong file: status 1 and every problem, on standard error', async () => {
  const { status, out, err } = await run(WRONG);
  assert.is(status, 1);
  assert.is(out, '');
  const lines = err.trimEnd().split('\n');
  assert.is(lines.length, 3);
  assert.ok(lines[0]!.startsWith(`${WRONG}:4:22: `));
  assert.is(lines[2], `${WRONG}: 2 problems`);
});

test('a missing file: status 1 and one sentence', async () => {
  const { status, err } = await run('/nowhere/features.yaml');
  assert.is(status, 1);
  assert.match(err, '/nowhere/features.yaml:1:1: there is no such file');
  assert.match(err, ': 1 problem\n');
});

test.run();
