/** The kernels by themselves, in one Python process, beside pandas: kernels.py asks, and draws append.svg. */
import { execFileSync } from 'node:child_process';
import { findPython } from '../src/python.ts';
import type { Figure } from './figure.ts';
import { here } from './machine.ts';

export async function kernels(): Promise<Figure[]> {
  const args = [here('kernels.py'), '--json', '--plot', here('append.svg')];
  const lines = execFileSync(findPython(''), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Figure);
}
