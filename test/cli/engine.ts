/** An engine in this process, for the commands that talk to one, and a terminal that keeps what they say. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Terminal } from '../../src/cli/terminal.ts';
import { defaultConfig } from '../../src/config.ts';
import { type Engine, startEngine } from '../../src/engine.ts';
import { createLog } from '../../src/observe/log.ts';
import { loadRegistry } from '../../src/registry/load.ts';

const REGISTRY = `
project: test
clock: event
entities:
  meter: { description: A meter }
sources:
  readings:
    keys: { meter: meter }
    timestamp: at
    fields: { value: float, seen: timestamp, open: bool, label: category }
    lateness: 1d
    max_ahead: 30d
    retention: 30d
    history: 30d
views:
  use:
    entity: meter
    ttl: 5m
    versions:
      v1:
        features:
          n: { type: statistical, aggregation: count }
          sum: { type: statistical, field: value, aggregation: sum }
`;

export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), 'headrace-cli-'));
  readonly #data = join(this.folder, 'data');
  engine!: Engine;

  async start(port = 0): Promise<void> {
    const path = this.file('features.yaml', REGISTRY);
    const config = { ...defaultConfig(), data: this.#data, port, workers: 1, shards: 2, log_level: 'silent' };
    this.engine = await startEngine(config, await loadRegistry(path), createLog(config));
    await this.engine.fleetReady;
  }

  get url(): string {
    return this.engine.url;
  }

  get ws(): string {
    return `${this.engine.url.replace('http', 'ws')}/ws`;
  }

  get port(): number {
    return Number(new URL(this.engine.url).port);
  }

  file(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Count and sum of a meter's readings. */
  async totals(meter: string): Promise<{ n: number; sum: number }> {
    const body = JSON.stringify({ entity_id: meter });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${this.url}/features`, { method: 'POST', headers, body });
    const { features } = (await response.json()) as { features: { n: number; sum: number } };
    return features;
  }

  async end(): Promise<void> {
    await this.engine.stop();
    rmSync(this.folder, { recursive: true });
  }
}

export class Said implements Terminal {
  readonly interactive = false;
  readonly columns = 100;
  stdout = '';
  stderr = '';

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }
}
