/**
 * Every file in `wrong/` begins with what must be found in it: `# expect LINE:COLUMN words of the message`, in the order
 * in which the problems are told. No other problem may be told. They end with `.txt` so that no tool mends them.
 */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadRegistry } from '../../src/registry/load.ts';
import { RegistryError } from '../../src/registry/problems.ts';

const folder = new URL('wrong/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml.txt'));

test('there are files to check', () => {
  assert.ok(files.length >= 25, `${files.length} files`);
});

for (const name of files) {
  test(`wrong/${name}: every problem at its place, and no other`, async () => {
    const url = new URL(name, folder);
    const expected = [...(await readFile(url, 'utf8')).matchAll(/^# expect (\d+:\d+) (.*)$/gm)];
    const error = await loadRegistry(url.pathname).then(
      () => assert.unreachable('the file was taken'),
      (reason: unknown) => reason,
    );
    assert.instance(error, RegistryError);
    const { problems, message } = error as RegistryError;
    assert.equal(
      problems.map((problem) => `${problem.line}:${problem.column}`),
      expected.map((match) => match[1]),
      message,
    );
    problems.forEach((problem, i) => {
      assert.ok(problem.message.includes(expected[i]![2]!), `${problem.message}\n${expected[i]![2]}`);
    });
    const lines = problems.map((one) => `${url.pathname}:${one.line}:${one.column}: ${one.message}`);
    assert.is(message, lines.join('\n'));
  });
}

test.run();
