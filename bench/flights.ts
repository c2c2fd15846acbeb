/** The engine on the flights, in a process of its own, over a data folder that benchmarks share. */
import type { ChildProcess } from 'node:child_process';
import { here, startNode, stop } from './machine.ts';

export const FLIGHTS = here('../node_modules/vega-datasets/data/flights-3m.parquet');
/** How many of them are loaded before the replayed week. */
export const LOADED = 2_871_298;
export const LOADED_UNTIL = '2001-06-23T12:00:00Z';

export interface Engine {
  url: string;
  child: ChildProcess;
  pid: number;
  /** From the start of the process until it was ready, loading included. */
  readyMs: number;
  close(): Promise<void>;
}

export async function startEngine(data: string, options: string[] = []): Promise<Engine> {
  const started = performance.now();
  const { child, hello } = await startNode<{ ready: string }>(
    here('../src/main.ts'),
    [
      'serve',
      here('../examples/flights/features.yaml'),
      ...['--port', '0', '--data', data, '--log-level', 'warn'],
      ...['--load', `departures=${FLIGHTS}`, '--load-until', LOADED_UNTIL],
      ...options,
    ],
    ['ignore', 'ignore', 'inherit', 'ipc'],
  );
  return {
    url: hello.ready,
    child,
    pid: child.pid!,
    readyMs: performance.now() - started,
    close: () => stop(child),
  };
}

export const wsUrl = (url: string): string => `${url.replace('http', 'ws')}/ws`;

export async function post(url: string, path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}
