import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { findPython, PYTHON_PATH } from '../python.ts';
import type { Logger } from './logger.ts';
import type { Spawner, WorkerProcess } from './spawner.ts';

/** A worker is one thread of work; a pool of BLAS threads beside it would only take cores from the others. */
const ONE_THREAD = {
  OMP_NUM_THREADS: '1',
  OPENBLAS_NUM_THREADS: '1',
  MKL_NUM_THREADS: '1',
  NUMEXPR_NUM_THREADS: '1',
};

/** What functions print is logged line by line, up to so many characters of each. */
const LINE_MAX = 2000;

/**
 * Starts `python -m headrace.worker`. Call it from the main thread: a worker asks to be killed with the *thread* that
 * started it. Stdin is a pipe that is held open and never written to: its end tells the worker that the engine is gone.
 * The worker is in a session of its own, so that Ctrl-C in the terminal reaches the engine alone, which drains.
 */
export class PythonSpawner implements Spawner {
  readonly #python: string;
  readonly #logger: Logger;
  readonly #arguments: readonly string[];

  /** @param module what runs instead of the product's worker, for tests: arguments before `--connect` */
  constructor(python: string, logger: Logger, module: readonly string[] = ['-m', 'headrace.worker']) {
    this.#python = findPython(python);
    this.#logger = logger;
    this.#arguments = module;
  }

  spawn(identity: string, address: string, exited: (reason: string) => void): WorkerProcess {
    const child = spawn(this.#python, [...this.#arguments, '--connect', address, '--identity', identity], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, ...ONE_THREAD, PYTHONPATH: PYTHON_PATH },
    });
    this.#logLines(child.stdout, identity, 'info');
    this.#logLines(child.stderr, identity, 'warn');
    child.stdin.on('error', (error) => this.#logger.debug({ worker: identity, error: error.message }, 'stdin closed'));
    this.#watchExit(child, exited);
    return {
      pid: child.pid ?? 0,
      abort: () => void child.kill('SIGABRT'),
      kill: () => void child.kill('SIGKILL'),
    };
  }

  #watchExit(child: ChildProcess, exited: (reason: string) => void): void {
    // An error without a pid is a start that failed, and no exit follows it.
    child.once('error', (error) => {
      if (child.pid === undefined) exited(`'${this.#python}' could not be started: ${error.message}`);
    });
    child.once('exit', (code, signal) => exited(signal === null ? `exit status ${code}` : `killed by ${signal}`));
  }

  #logLines(stream: Readable, identity: string, level: 'info' | 'warn'): void {
    createInterface({ input: stream }).on('line', (line) => {
      const shown = line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}… (${line.length} characters)` : line;
      this.#logger[level]({ worker: identity }, shown);
    });
  }
}
