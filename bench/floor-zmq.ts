/**
 * The floor under every miss: a bare round trip between a ZeroMQ ROUTER in Node and a DEALER in Python over ipc, with
 * nothing in the messages and nothing done with them.
 *
 * `node bench/floor-zmq.ts [ROUNDS]` prints its quantiles.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Router } from 'zeromq';
import { findPython } from '../src/python.ts';

const ASKED_BYTES = 100;
const ANSWERED_BYTES = 1024;
const WARM_UP_ROUNDS = 200;

/**
 * One message after the other, 100 bytes out and 1 KiB back.
 * @returns the duration of each round trip in microseconds
 */
export async function zmqRoundTrip(rounds: number): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-floor-'));
  const address = `ipc://${join(folder, 'floor')}`;
  const router = new Router({ linger: 0 });
  await router.bind(address);
  const script = fileURLToPath(new URL('./floor_zmq.py', import.meta.url));
  const child = spawn(findPython(''), [script, address, String(ANSWERED_BYTES)], { stdio: 'inherit' });
  const exited = once(child, 'exit');
  child.once('exit', () => router.close()); // ends a wait for an answer that will not come
  try {
    const [identity] = await router.receive();
    const asked = Buffer.alloc(ASKED_BYTES, 1);
    const times: number[] = [];
    for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
      const started = performance.now();
      await router.send([identity!, asked]);
      await router.receive();
      if (round >= 0) times.push((performance.now() - started) * 1000);
    }
    await router.send([identity!, '']);
    await exited;
    return times;
  } finally {
    child.kill();
    router.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const times = (await zmqRoundTrip(Number(process.argv[2] ?? 5000))).sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.floor(q * (times.length - 1))]!.toFixed(1);
  process.stdout.write(`µs: p50 ${quantile(0.5)}, p95 ${quantile(0.95)}, p99 ${quantile(0.99)}\n`);
}
