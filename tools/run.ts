/** One program after another: its output goes on as it comes, its end is bounded. */
import { spawn } from 'node:child_process';

/** How long a program that has said its last word may take to exit. */
const EXIT_GRACE_MS = 15_000;
/** How long its streams may stay open after it ended, held by a process that left the group. */
const CLOSE_GRACE_MS = 2000;

export interface Run {
  /** Exit status; 1 where a signal ended it. */
  status: number;
  /** Both streams, as they came. */
  output: string;
  /** Why it was ended from here, if it was. */
  ended: string | null;
}

interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  timeoutMs: number;
  /** The program has nothing to do after a line like this: it must exit soon. */
  lastLine?: RegExp;
}

/**
 * Each program leads a process group of its own, so that what it leaves behind (workers, servers) ends with it; a
 * terminal's Ctrl-C then reaches only this process, which passes it on.
 */
export function run(command: string, args: string[], options: RunOptions): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let ended: string | null = null;

    const kill = (signal: NodeJS.Signals) => {
      try {
        process.kill(-child.pid!, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    const end = (why: string) => {
      ended = why;
      kill('SIGKILL');
    };
    const deadline = setTimeout(() => end(`still running after ${options.timeoutMs / 1000} s`), options.timeoutMs);
    let grace: NodeJS.Timeout | undefined;

    const interrupted = (signal: NodeJS.Signals) => {
      kill('SIGKILL');
      process.exit(signal === 'SIGINT' ? 130 : 143);
    };
    process.once('SIGINT', interrupted);
    process.once('SIGTERM', interrupted);

    const take = (stream: NodeJS.WriteStream) => (chunk: Buffer) => {
      stream.write(chunk);
      output += chunk.toString();
      if (options.lastLine?.test(output) && grace === undefined) {
        grace = setTimeout(() => end('it is done but does not exit: something is left open'), EXIT_GRACE_MS);
      }
    };
    child.stdout.on('data', take(process.stdout));
    child.stderr.on('data', take(process.stderr));
    child.on('error', reject);
    child.on('exit', (status) => {
      clearTimeout(deadline);
      clearTimeout(grace);
      process.off('SIGINT', interrupted);
      process.off('SIGTERM', interrupted);
      kill('SIGKILL');
      const done = () => resolve({ status: status ?? 1, output, ended });
      child.once('close', done);
      setTimeout(done, CLOSE_GRACE_MS).unref();
    });
  });
}
