/** What Python tells of the functions that a registry names. */
import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { HeadraceError } from '../errors.ts';
import { findPython, PYTHON_PATH } from '../python.ts';
import type { OutputType } from './view.ts';

/** `outputs`: one type, or types by name; or what is wrong with the function, and in which of its folder's files. */
export type PythonFunction =
  | { outputs: OutputType | Record<string, OutputType>; digest: string }
  | { error: string; file: string | null; line: number | null };

/** Python's answers, or which questions are to be put to it. */
export class PythonFunctions {
  readonly asked = new Set<string>();
  readonly #known: Record<string, PythonFunction>;

  constructor(known: Record<string, PythonFunction> = {}) {
    this.#known = known;
  }

  /** @returns null where Python has yet to be asked */
  find(name: string): PythonFunction | null {
    if (Object.hasOwn(this.#known, name)) return this.#known[name]!;
    this.asked.add(name);
    return null;
  }
}

const UNASKED: PythonFunction = {
  error: 'Python is not asked where a text is read; load the registry from its file',
  file: null,
  line: null,
};

/** For a registry that is no file: its functions cannot be told. */
export function unasked(names: Iterable<string>): PythonFunctions {
  return new PythonFunctions(Object.fromEntries([...names].map((name) => [name, UNASKED])));
}

/** A module may be slow to import, but one that waits for something never ends. */
const TIMEOUT_MS = 60_000;

/**
 * Runs `python -m headrace.inspect` once for all functions. Where it cannot be run each of them has the error.
 *
 * @param path the registry's file, beside which the modules lie
 * @param python as the option `python`
 */
export async function askPython(names: Iterable<string>, path: string, python: string): Promise<PythonFunctions> {
  const functions = [...names];
  try {
    const question = JSON.stringify({ folder: dirname(resolve(path)), functions });
    return new PythonFunctions(JSON.parse(await runInspect(findPython(python), question)));
  } catch (cause) {
    if (!(cause instanceof HeadraceError)) throw cause;
    const failed: PythonFunction = { error: cause.message, file: null, line: null };
    return new PythonFunctions(Object.fromEntries(functions.map((name) => [name, failed])));
  }
}

function runInspect(python: string, question: string): Promise<string> {
  return new Promise((done, fail) => {
    const refuse = (sentence: string): void =>
      fail(new HeadraceError('internal', `Python features need Python, and ${sentence}`));
    const child = spawn(python, ['-m', 'headrace.inspect'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PYTHONPATH: PYTHON_PATH, PYTHONIOENCODING: 'utf-8' },
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    // Only its end is shown; what modules print may be long.
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr = (output.stderr + text).slice(-2000);
    });
    // Where it ends before it has read all, its status tells.
    child.stdin.on('error', () => {});
    child.stdin.end(question);
    child.once('error', ({ message }) => refuse(`"${python}" could not be started: ${message}; ${FIX}`));
    child.once('close', (status, signal) => {
      if (status === 0) return done(output.stdout);
      if (signal === 'SIGKILL')
        return refuse(`the modules were not imported within ${TIMEOUT_MS / 1000} s; let them import less`);
      refuse(
        `"${python} -m headrace.inspect" ended with ${lastLine(output.stderr) ?? `status ${status ?? signal}`}; ${FIX}`,
      );
    });
  });
}

const FIX = 'run make setup, or name an interpreter that has NumPy and pandas by --python';

const lastLine = (text: string): string | undefined => text.trim().split('\n').at(-1) || undefined;
