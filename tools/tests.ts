/** Runs the tests of both languages and counts them. */
import { globSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { type Run, run } from './run.ts';

const FILE_TIMEOUT_MS = 180_000;
const PYTHON_TIMEOUT_MS = 480_000;
const PYTHON = '../.venv/bin/python';

/** Tests by their end. What is no test's failure (a crash, a hang, a file without tests) counts as one failed too. */
export interface Count {
  passed: number;
  failed: number;
  /** A line for each file or suite that did not do well. */
  faults: string[];
}

/** @param coverage whether both languages' own tools record which lines ran */
export async function runTests(coverage: string | null): Promise<Count> {
  const total: Count = { passed: 0, failed: 0, faults: [] };
  for (const count of [await typescript(coverage), await python(coverage !== null)]) {
    total.passed += count.passed;
    total.failed += count.failed;
    total.faults.push(...count.faults);
  }
  return total;
}

/** Every file in a process of its own, so that a crash or a hang names its file and spoils no other. */
async function typescript(coverage: string | null): Promise<Count> {
  const files = globSync('test/**/*.test.ts').sort();
  const total: Count = { passed: 0, failed: 0, faults: [] };
  const env = { ...process.env, ...(coverage === null ? {} : { NODE_V8_COVERAGE: coverage }) };
  for (const file of files) {
    process.stdout.write(`${file}\n`);
    const ran = await run(process.execPath, [file], {
      env,
      timeoutMs: FILE_TIMEOUT_MS,
      lastLine: /^ {2}Duration: .*\n/m,
    });
    const output = stripVTControlCharacters(ran.output);
    add(total, file, ran, last(output, /^ {2}Passed: +(\d+)/gm), last(output, /^ {2}Total: +(\d+)/gm));
  }
  if (files.length === 0) add(total, 'test/', { status: 1, output: '', ended: null }, 0, 0);
  return total;
}

async function python(coverage: boolean): Promise<Count> {
  const args = coverage ? ['-m', 'coverage', 'run', '-m', 'pytest'] : ['-m', 'pytest'];
  const ran = await run(PYTHON, args, { cwd: 'python', timeoutMs: PYTHON_TIMEOUT_MS });
  const summary = stripVTControlCharacters(ran.output).trimEnd().split('\n').at(-1) ?? '';
  const passed = last(summary, /(\d+) passed/g);
  const total: Count = { passed: 0, failed: 0, faults: [] };
  add(total, 'python/tests', ran, passed, passed + last(summary, /(\d+) failed/g) + last(summary, /(\d+) error/g));
  return total;
}

function add(total: Count, name: string, ran: Run, passed: number, ofTests: number): void {
  const failed = ofTests - passed;
  total.passed += passed;
  total.failed += failed;
  if (failed > 0) total.faults.push(`${name}: ${failed} failed`);
  if (ran.ended !== null) total.faults.push(`${name}: ${ran.ended}`);
  else if (ofTests === 0) total.faults.push(`${name}: no test ran`);
  else if (ran.status !== 0 && failed === 0) total.faults.push(`${name}: ended with status ${ran.status}`);
  else return;
  total.failed += 1;
}

/** The number that the last match captures, or 0. */
function last(text: string, pattern: RegExp): number {
  return Number([...text.matchAll(pattern)].at(-1)?.[1] ?? 0);
}
