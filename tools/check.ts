/**
 * `node tools/check.ts test` runs the tests of both languages; `check` runs lint, types and dead code before them and
 * prints coverage after. The last line is `N passed, N failed`: tests of both languages, and one failed for each check
 * that did not pass. The exit status is 0 only where something passed and nothing failed.
 */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { run } from './run.ts';
import { runTests } from './tests.ts';

const CHECK_TIMEOUT_MS = 240_000;
const PYTHON = resolve('.venv/bin/python');
const COVERAGE = resolve('coverage/tmp');

interface Check {
  name: string;
  command: string[];
  cwd?: string;
}

const RUFF = ['--config', 'python/pyproject.toml', 'python', 'examples', 'bench'];

const CHECKS: Check[] = [
  { name: 'lint of TypeScript', command: ['biome', 'check', '--error-on-warnings'] },
  { name: 'lint of Python', command: [PYTHON, '-m', 'ruff', 'check', ...RUFF] },
  { name: 'format of Python', command: [PYTHON, '-m', 'ruff', 'format', '--check', ...RUFF] },
  { name: 'types of TypeScript', command: ['tsc', '--noEmit'] },
  { name: 'types of Python', command: [PYTHON, '-m', 'mypy'], cwd: 'python' },
  { name: 'dead code of TypeScript', command: ['knip'] },
  { name: 'dead code of Python', command: [PYTHON, '-m', 'vulture'], cwd: 'python' },
];

const REPORTS: Check[] = [
  { name: 'coverage of TypeScript', command: ['c8', 'report', '--temp-directory', COVERAGE] },
  { name: 'coverage of Python', command: [PYTHON, '-m', 'coverage', 'report'], cwd: 'python' },
];

/** Runs all, says what each is, and gives the names of those that failed. */
async function runChecks(checks: Check[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, command, cwd } of checks) {
    process.stdout.write(`\n${name}\n`);
    const [program, ...args] = command as [string, ...string[]];
    const ran = await run(program, args, { ...(cwd === undefined ? {} : { cwd }), timeoutMs: CHECK_TIMEOUT_MS });
    if (ran.status !== 0 || ran.ended !== null) failed.push(`${name}: ${ran.ended ?? 'failed'}`);
  }
  return failed;
}

async function main(what: string | undefined): Promise<number> {
  if (what !== 'test' && what !== 'check') throw new Error(`expected "test" or "check", found ${what}`);
  const whole = what === 'check';
  const failed = whole ? await runChecks(CHECKS) : [];
  if (whole) rmSync(COVERAGE, { recursive: true, force: true });
  const tests = await runTests(whole ? COVERAGE : null);
  if (whole) failed.push(...(await runChecks(REPORTS)));

  const faults = [...failed, ...tests.faults];
  process.stdout.write(faults.length === 0 ? '\n' : `\n${faults.join('\n')}\n`);
  const count = tests.failed + failed.length;
  process.stdout.write(`${tests.passed} passed, ${count} failed\n`);
  return tests.passed > 0 && count === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv[2]);
