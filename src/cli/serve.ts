/** `headrace serve`: the engine, until it is told to end. */
import { existsSync } from 'node:fs';
import cliProgress from 'cli-progress';
import type { Logger } from 'pino';
import { type Micros, systemTimers } from '../clock.ts';
import type { Config } from '../config.ts';
import { type Engine, startEngine } from '../engine.ts';
import { HeadraceError } from '../errors.ts';
import { createLog } from '../observe/log.ts';
import { loadRegistry } from '../registry/load.ts';
import type { Registry, Source } from '../registry/view.ts';
import { type Watcher, watchRegistry } from '../registry/watch.ts';
import { parseTime } from '../wire/time.ts';
import type { Terminal } from './terminal.ts';

export interface ServeOptions {
  registry: string;
  config: Config;
  /** `SOURCE=FILE`, loaded in this order before the engine is ready. */
  load: string[];
  loadUntil?: string;
  /** Serve versions whose definition is another one than when they were first served. */
  forceDefinitions: boolean;
}

interface Load {
  source: Source;
  file: string;
  until: Micros | null;
}

/**
 * @param stopping aborted when the engine shall end
 * @param onReady called once the engine is ready for requests
 * @returns the exit status: 0 after a stop that was asked for, 1 where the engine could not start or broke
 */
export async function serveCommand(
  options: ServeOptions,
  terminal: Terminal,
  stopping: AbortSignal,
  onReady: (url: string) => void,
): Promise<number> {
  const { config, forceDefinitions } = options;
  const logger = createLog(config);
  const reloader = new Reloader();
  // From before the file is read, so that no change of it is missed.
  const watcher = config.registry_watch === 'on' ? await watch(options.registry, logger, reloader.reload) : null;
  process.on('SIGHUP', reloader.reload);
  let engine: Engine | null = null;
  try {
    const registry = await loadRegistry(options.registry, { python: config.python });
    const loads = parseLoads(options, registry);
    engine = await startEngine(config, registry, logger, { forceDefinitions });
    reloader.begin(engine);
    const asked = new Promise<null>((resolve) => {
      if (stopping.aborted) resolve(null);
      stopping.addEventListener('abort', () => resolve(null), { once: true });
    });
    const broken = Promise.race([asked, engine.failed]);
    const ready = await Promise.race([becomeReady(engine, loads, terminal, stopping), broken]);
    if (ready === true) {
      terminal.out(`headrace is ready at ${engine.url} (WebSocket at ${engine.url.replace('http', 'ws')}/ws)\n`);
      onReady(engine.url);
    }
    const failure = await broken;
    if (failure !== null) terminal.err(`headrace serve: ${failure.message}\n`);
    return failure === null ? 0 : 1;
  } finally {
    watcher?.close();
    await engine?.stop();
    process.off('SIGHUP', reloader.reload);
  }
}

/** Has the engine read the registry again; what is wished before it runs is done once it does. */
class Reloader {
  #engine: Engine | null = null;
  #wanted = false;

  /** What comes of it stands in the log. */
  readonly reload = (): void => {
    if (this.#engine === null) this.#wanted = true;
    else void this.#engine.reload().catch(() => undefined);
  };

  begin(engine: Engine): void {
    this.#engine = engine;
    if (this.#wanted) this.reload();
  }
}

function watch(path: string, logger: Logger, changed: () => void): Promise<Watcher> {
  return watchRegistry(path, systemTimers, changed, (error) => {
    logger.warn({ err: error }, 'the registry is not watched; SIGHUP and POST /registry/reload read it again');
  });
}

async function becomeReady(engine: Engine, loads: Load[], terminal: Terminal, stopping: AbortSignal): Promise<true> {
  await engine.fleetReady;
  for (const load of loads) await runLoad(engine, load, terminal, stopping);
  return true;
}

function parseLoads({ load, loadUntil }: ServeOptions, registry: Registry): Load[] {
  const until = loadUntil === undefined ? null : parseTime(loadUntil);
  return load.map((text) => {
    const [name = '', ...rest] = text.split('=');
    const source = registry.sources.get(name);
    const file = rest.join('=');
    if (file === '') throw new HeadraceError('bad_request', `--load is '${text}'; it takes SOURCE=FILE.`);
    if (source === undefined) {
      const known = [...registry.sources.keys()].join(', ');
      throw new HeadraceError('unknown_source', `--load names the source '${name}'; the registry has ${known}.`);
    }
    if (!existsSync(file)) throw new HeadraceError('bad_request', `--load names '${file}', which does not exist.`);
    return { source, file, until };
  });
}

async function runLoad(engine: Engine, load: Load, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const bar = new cliProgress.SingleBar(
    {
      format: 'loading [{bar}] {value} of {total} events, {rate}/s, {eta} s left',
      hideCursor: true,
      stream: process.stderr,
    },
    cliProgress.Presets.legacy,
  );
  const started = systemTimers.monotonicMs();
  let first: number | null = null;
  let shown = false;
  const loaded = await engine.load({
    ...load,
    signal,
    onProgress: (rows, total) => {
      first ??= rows;
      if (!shown && rows < total) {
        shown = true;
        bar.start(total, rows, { rate: 0 });
      }
      const seconds = (systemTimers.monotonicMs() - started) / 1000;
      if (shown) bar.update(rows, { rate: Math.round((rows - first) / seconds) });
    },
  });
  if (shown) bar.stop();
  const { accepted, late, rejected, skipped, reasons } = loaded;
  const seconds = ((systemTimers.monotonicMs() - started) / 1000).toFixed(1);
  terminal.out(
    `${load.file}: ${accepted} events in ${seconds} s (${late} late, ${rejected} rejected, ${skipped} were there before)\n`,
  );
  for (const { index, code, message } of reasons) terminal.err(`  row ${index}: ${message} [${code}]\n`);
}
