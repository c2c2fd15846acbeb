import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { PythonSpawner } from '../../src/fleet/python-spawner.ts';
import { findPython } from '../../src/python.ts';

interface Run {
  exited: Promise<string>;
  lines: [string, string][];
  pid: number;
  kill(): void;
  abort(): void;
}

/** Runs a line of Python in place of the worker. */
function run(code: string, python = ''): Run {
  const lines: [string, string][] = [];
  const log = (level: string) => (_: object, message: string) => void lines.push([level, message]);
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  let done: (reason: string) => void;
  const exited = new Promise<string>((resolve) => {
    done = resolve;
  });
  const child = new PythonSpawner(python, logger, ['-c', code]).spawn('w0-1', 'ipc:///tmp/x', (reason) => done(reason));
  return { exited, lines, pid: child.pid, kill: () => child.kill(), abort: () => child.abort() };
}

const test = suite('fleet/python-spawner');

test('a worker gets its address, identity, path and one thread; its lines go to the log', async () => {
  const { exited, lines } = run(
    'import os, sys, headrace; print(sys.argv[1:]); print(os.environ["OMP_NUM_THREADS"], file=sys.stderr); sys.exit(3)',
  );
  assert.is(await exited, 'exit status 3');
  while (lines.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(
    new Map(lines),
    new Map([
      ['info', "['--connect', 'ipc:///tmp/x', '--identity', 'w0-1']"],
      ['warn', '1'],
    ]),
  );
});

test('its stdin is held open until the engine ends it; signals end it', async () => {
  const waiting = run('import sys; print("up", flush=True); sys.stdin.read()');
  waiting.kill();
  assert.is(await waiting.exited, 'killed by SIGKILL');
  const aborted = run('import sys; sys.stdin.read()');
  aborted.abort();
  assert.is(await aborted.exited, 'killed by SIGABRT');
});

test('a Python that is not there is told clearly', async () => {
  assert.throws(
    () => findPython('/no/such/python'),
    (error: unknown) =>
      error instanceof HeadraceError &&
      error.code === 'bad_request' &&
      /--python is '\/no\/such\/python'/.test(error.message),
  );
  const { exited, pid } = run('', 'no-such-python');
  assert.is(pid, 0);
  assert.match(await exited, /^'no-such-python' could not be started: .*ENOENT/);
});

test.run();
