import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Log } from '../../src/store/log.ts';
import { batchOf, keyOf, newFolder, optionsOf, readLog, removeFolders, T0 } from './material.ts';

const test = suite('store/death');
test.after(removeFolders);

const WRITER = fileURLToPath(new URL('./writer.ts', import.meta.url));

/**
 * Runs the writer until it has said enough, and kills it.
 *
 * @returns what was answered, by batch
 */
async function kill(command: string[], enough: (lines: string[]) => boolean): Promise<Map<number, string>> {
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (enough(text.split('\n'))) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
  const lines = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
  return new Map(lines.map((line) => [Number(line.split(' ')[0]), line.split(' ')[1]!]));
}

/** Everything acknowledged is in the log whole and once, in its place, and a retry is answered as a duplicate. */
function check(folder: string, answers: Map<number, string>, n: number): void {
  const stored = readLog(folder);
  assert.equal(
    stored.map(({ position }) => position),
    stored.map((_, i) => i + 1),
  );
  const log = new Log(optionsOf({ folder }));
  assert.is(log.state().position, stored.length);
  for (const [k, position] of answers) {
    const events = stored.slice(Number(position) - n, Number(position));
    const found = new Set(events.map(({ ts, airport, delay }) => `${ts} ${airport} ${delay}`));
    assert.equal([events.length, ...found], [n, `${T0 + k} A${k} ${k}`]);
    const same = Array.from({ length: n }, () => ({ ts: T0 + k, airport: `A${k}`, delay: k }));
    const [retry] = log.commit([batchOf(same, { key: keyOf(k, 'writer') })]).commits;
    assert.equal(retry!.answer, { position: Number(position), accepted: 0, late: 0, duplicate: n, rejected: [] });
  }
  log.close();
}

for (const [n, enough] of [
  [3, 50],
  [7, 400],
  [2000, 150],
] as const) {
  test(`a process killed in mid-commit keeps all that it acknowledged: ${n} events a batch`, async () => {
    const folder = newFolder();
    const answers = await kill([process.execPath, WRITER, folder, String(n)], (lines) => lines.length > enough);
    assert.ok(answers.size >= enough);
    check(folder, answers, n);
  });
}

test('a full disk refuses batches and keeps what was acknowledged', async () => {
  const folder = newFolder();
  // No file may grow past 1 MiB; without the signal that goes with it, writing fails as on a full disk.
  const limited = `trap '' XFSZ; ulimit -f 1024; exec "$0" "$@"`;
  const answers = await kill(['bash', '-c', limited, process.execPath, WRITER, folder, '500'], (lines) =>
    lines.slice(-80, -1).every((line) => line.endsWith(' store_unavailable')),
  );
  const refused = [...answers].filter(([, answer]) => answer === 'store_unavailable');
  const taken = [...answers].filter(([, answer]) => answer !== 'store_unavailable');
  assert.ok(refused.length > 0 && taken.length > 0, `${refused.length} refused, ${taken.length} taken`);
  check(folder, new Map(taken), 500);
});

test.run();
