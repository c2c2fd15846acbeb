import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HeadraceError } from './errors.ts';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

/** Where the package `headrace` of Python lies. */
export const PYTHON_PATH = join(PACKAGE, 'python');

/**
 * The interpreter to run Python's part with.
 * @param configured the option `python`; empty: `.venv/bin/python` beside the package, else `python3`
 * @throws HeadraceError `bad_request` where a configured path does not exist
 */
export function findPython(configured: string): string {
  if (configured === '') {
    const beside = join(PACKAGE, '.venv', 'bin', 'python');
    return existsSync(beside) ? beside : 'python3';
  }
  if (configured.includes('/') && !existsSync(configured)) {
    throw new HeadraceError(
      'bad_request',
      `--python is '${configured}', which does not exist; name a Python of 3.11 or newer.`,
    );
  }
  return configured;
}
