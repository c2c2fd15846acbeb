import { mkdirSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Lab, METERS } from '../e2e/lab.ts';

const test = suite('cli/check');
const lab = new Lab();

test.after(() => lab.close());

function registry(name: string, source: string): string {
  mkdirSync(lab.path(name));
  writeFileSync(lab.path(`${name}/meters.py`), `from headrace import feature\nprint("imported")\n\n\n${source}`);
  const path = lab.path(`${name}/features.yaml`);
  writeFileSync(
    path,
    `
project: meters
clock: event
entities: { meter: {} }
sources:
  readings:
    keys: { meter: "{meter}" }
    timestamp: at
    fields: { value: float, label: category }
    retention: 7d
views:
  use:
    entity: meter
    ttl: 5m
    versions:
      v1:
        features:
          share: { type: python, function: "meters:share", source: readings, window: 1h, fields: [value] }
`,
  );
  return path;
}

const SOUND = `@feature
def share(window, as_of) -> float | None:
    values = window["value"].dropna()
    return (values > 1).mean() if len(values) else None
`;

test('functions that keep the contract: a line for each check, status 0', async () => {
  const { code, out, err } = await lab.run(['check', registry('sound', SOUND)]);
  assert.is(code, 0, out + err);
  const lines = out.trimEnd().split('\n');
  assert.is(lines[0], 'meters:share over readings (value)');
  const checks = lines.slice(1, -1);
  assert.ok(checks.length >= 9);
  for (const line of checks) assert.match(line, /^ {2}✓ [a-z ]+$/);
  assert.is(lines.at(-1), `1 function, ${checks.length} checks, 0 failed`);
  assert.match(err, 'imported');
});

test('one that breaks it: what it did and what to do, status 1', async () => {
  const source = `@feature
def share(window, as_of) -> float:
    window["value"] += 1
    return window["value"].iloc[0]
`;
  const { code, out } = await lab.run(['check', registry('broken', source)]);
  assert.is(code, 1);
  assert.match(
    out,
    /^ {2}✗ empty window: .*meters\.py:8, share: IndexError: .*return None where the window is empty$/m,
  );
  assert.match(out, /^ {2}✗ no mutation: it changed the rows that it was given; work on a copy/m);
  assert.match(out, /^ {2}✓ one row$/m);
  assert.match(out, /^1 function, \d+ checks, 2 failed$/m);
});

test('one that prints past Python, and one that ends it', async () => {
  const loud = SOUND.replace('    values =', '    __import__("os").write(1, b"raw\\n")\n    values =');
  const { code, out, err } = await lab.run(['check', registry('loud', loud)]);
  assert.is(code, 0, out + err);
  assert.not.match(out, 'raw');
  assert.match(err, 'raw');
  const ending = await lab.run([
    'check',
    registry('ending', SOUND.replace('    values =', '    __import__("os")._exit(7)\n    values =')),
  ]);
  assert.is(ending.code, 1);
  assert.match(ending.err, 'Python ended with status 7 in the function named last');
});

test('one that fails on any rows is told of once', async () => {
  const { code, out } = await lab.run(['check', registry('failing', SOUND.replace('> 1', '> nothing'))]);
  assert.is(code, 1);
  assert.match(out, /^ {2}✗ output type: it failed on rows like any others: .*NameError/m);
  assert.match(out, /^1 function, 1 checks, 1 failed$/m);
});

test('a registry that is wrong, and one without functions', async () => {
  const wrong = await lab.run(['check', registry('wrong', SOUND.replace('-> float | None', ''))]);
  assert.is(wrong.code, 1);
  assert.match(wrong.err, /meters\.py:5: share does not say what it returns/);
  const none = await lab.run(['check', METERS]);
  assert.equal([none.code, none.out], [0, 'the registry has no Python features\n']);
});

test.run();
