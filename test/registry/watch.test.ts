import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { systemTimers } from '../../src/clock.ts';
import { type Watcher, watchRegistry } from '../../src/registry/watch.ts';

interface Context {
  folder: string;
  watcher: Watcher;
  /** How often it told of a change. */
  count: number;
  path: (name: string) => string;
  /** Resolves once it has told of the next change. */
  next: () => Promise<void>;
}

const test = suite<Context>('registry/watch');

// A watcher alone keeps no process running, and these tests wait for nothing else.
const alive = setInterval(() => undefined, 1000);
test.after(() => clearInterval(alive));

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'headrace-watch-'));
  context.path = (name) => join(context.folder, name);
  writeFileSync(context.path('features.yaml'), 'a: 1');
  let wake = () => {};
  context.count = 0;
  context.watcher = await watchRegistry(
    context.path('features.yaml'),
    systemTimers,
    () => {
      context.count++;
      wake();
    },
    (error) => assert.unreachable(error.message),
  );
  context.next = () =>
    new Promise((resolve) => {
      wake = resolve;
    });
});

test.after.each(({ folder, watcher }) => {
  watcher.close();
  rmSync(folder, { recursive: true });
});

test('a written file, a file put in its place, and Python modules beside it', async ({ path, next }) => {
  const changes = [
    () => writeFileSync(path('features.yaml'), 'a: 2'),
    () => {
      writeFileSync(path('features.yaml~'), 'a: 3');
      renameSync(path('features.yaml~'), path('features.yaml'));
    },
    () => writeFileSync(path('delays.py'), 'x = 1'),
    () => writeFileSync(path('delays.py'), 'x = 2'),
    () => unlinkSync(path('delays.py')),
  ];
  for (const change of changes) {
    const told = next();
    change();
    await told;
  }
});

test('a file that is a link tells when the link leads elsewhere', async ({ path, watcher }) => {
  watcher.close();
  writeFileSync(path('one'), 'a: 1');
  writeFileSync(path('two'), 'a: 2');
  unlinkSync(path('features.yaml'));
  symlinkSync('one', path('current'));
  symlinkSync('current', path('features.yaml'));
  let wake = () => {};
  const told = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const linked = await watchRegistry(path('features.yaml'), systemTimers, wake, (error) =>
    assert.unreachable(error.message),
  );
  symlinkSync('two', path('next'));
  renameSync(path('next'), path('current'));
  await told;
  linked.close();
});

test('what else is written beside it is no change', async (context) => {
  const { path, next } = context;
  writeFileSync(path('notes.txt'), 'x');
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.is(context.count, 0);
  const told = next();
  writeFileSync(path('features.yaml'), 'a: 4');
  await told;
  assert.is(context.count, 1);
});

test('a folder that is not there is told of', async ({ path }) => {
  const error = await new Promise<Error>((resolve) => {
    void watchRegistry(path('none/features.yaml'), systemTimers, () => {}, resolve);
  });
  assert.match(error.message, /ENOENT/);
});

test.run();
