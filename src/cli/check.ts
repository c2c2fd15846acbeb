import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { HeadraceError } from '../errors.ts';
import { findPython, PYTHON_PATH } from '../python.ts';
import { loadRegistry } from '../registry/load.ts';
import type { Plan, Registry } from '../registry/view.ts';
import type { Terminal } from './terminal.ts';

/**
 * The body of `headrace check`: runs the contract checks on the registry's Python features, each check a line.
 *
 * @returns the exit status: 0 where all passed, 1 where one did not
 * @throws RegistryError where the registry is wrong
 */
export async function checkCommand(path: string, options: { python?: string }, terminal: Terminal): Promise<number> {
  const registry = await loadRegistry(path, options);
  const question = { folder: dirname(resolve(registry.path)), plans: plansWithPython(registry) };
  const python = findPython(options.python ?? '');
  const child = spawn(python, ['-m', 'headrace.check'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONPATH: PYTHON_PATH, PYTHONIOENCODING: 'utf-8' },
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => terminal.out(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => terminal.err(text));
  // Where it ends before it has read all, its status tells.
  child.stdin.on('error', () => {});
  child.stdin.end(JSON.stringify(question));
  return new Promise((done, fail) => {
    child.once('error', (cause) => {
      const message = `'${python}' could not be started: ${cause.message}; run make setup, or name another --python.`;
      fail(new HeadraceError('internal', message, { cause }));
    });
    child.once('close', (status, signal) => {
      if (status !== 0 && status !== 1) {
        const how = signal === null ? `with status ${status}` : `by ${signal}`;
        terminal.err(`Python ended ${how} in the function named last; the checks after that were not run.\n`);
      }
      done(status === 0 ? 0 : 1);
    });
  });
}

function plansWithPython(registry: Registry): Plan[] {
  const views = [...[...registry.views.values()].flat(), ...[...registry.services.values()].map(({ view }) => view)];
  return views.map(({ plan }) => plan).filter(({ features }) => features.some(({ type }) => type === 'python'));
}
