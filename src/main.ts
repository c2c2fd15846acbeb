#!/usr/bin/env node
/**
 * The command line: what the commands are called and take. Their bodies stand in cli/, and each is imported when it is
 * run: the engine takes a second to import, which `get` and `--help` need not wait for.
 */
import { createRequire } from 'node:module';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { processTerminal as terminal } from './cli/terminal.ts';
import { systemTimers } from './clock.ts';
import { flagOf, OPTIONS, type Option, parseConfig } from './config.ts';
import { HeadraceError } from './errors.ts';
import { RegistryError } from './registry/problems.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const HTTP_URL = 'http://127.0.0.1:8787';
const WS_URL = 'ws://127.0.0.1:8787/ws';
const USAGE = 2;

/** One wish to stop can come as several signals: a terminal and make each pass on theirs to the same process. */
const SAME_WISH_MS = 2000;

/** Aborted by the first SIGINT or SIGTERM; one that comes later than that wish ends the process there and then. */
function stopping(): AbortSignal {
  const controller = new AbortController();
  let firstMs: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const nowMs = systemTimers.monotonicMs();
      firstMs ??= nowMs;
      controller.abort();
      if (nowMs - firstMs < SAME_WISH_MS) return;
      // By the signal itself: process.exit would wait for threads, and one of them may be what hangs.
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    });
  }
  return controller.signal;
}

const list = (text: string): string[] => text.split(',').filter((name) => name !== '');
const collect = (text: string, before: string[] = []): string[] => [...before, text];

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('It takes a number above 0.');
  return value;
}

/** What a person reads of an option: default, limits and choices beside what it means. */
function describe({ description, default: value, min, max, choices }: Option): string {
  const limits = max === undefined ? `at least ${min}` : `${min} to ${max}`;
  const taken = choices?.join(', ') ?? (min === undefined ? '' : limits);
  return `${description} (default: ${value === '' ? 'empty' : value}${taken === '' ? '' : `; ${taken}`})`;
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const program = new Command('headrace')
  .description('Real-time ML features: events in, features computed, served and pushed.')
  .version(version)
  // So that --version after `get` is that of a view.
  .enablePositionalOptions()
  .showHelpAfterError('(--help shows what it takes)')
  .exitOverride();

const serve = program
  .command('serve')
  .description('Start the engine on a registry; SIGTERM or Ctrl-C drains it, a second one ends it at once')
  .argument('<registry>', 'features.yaml')
  .option('--load <SOURCE=FILE>', 'load a Parquet, CSV or NDJSON file before being ready; may be repeated', collect)
  .option('--load-until <time>', 'load events up to and including this time (ISO 8601)')
  .option('--force-definitions', 'serve versions whose definition is another one than when they were first served');
for (const [name, option] of Object.entries(OPTIONS)) {
  serve.option(`${flagOf(name)} <value>`, describe(option));
}
serve.addHelpText(
  'after',
  '\nExit status: 0 after a stop that was asked for, 1 where it could not start or broke, 2 for wrong options.',
);
serve.action(async (registry: string, flags: Record<string, string | string[] | boolean>) => {
  const given = Object.keys(OPTIONS).flatMap((name): [string, string][] => {
    const value = flags[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())];
    return typeof value === 'string' ? [[name, value]] : [];
  });
  const options = {
    registry,
    config: parseConfig(Object.fromEntries(given)),
    load: (flags['load'] ?? []) as string[],
    forceDefinitions: flags['forceDefinitions'] === true,
    ...(flags['loadUntil'] === undefined ? {} : { loadUntil: flags['loadUntil'] as string }),
  };
  const { serveCommand } = await import('./cli/serve.ts');
  // A parent that opened a channel is told where the engine is, so that it need not guess the port.
  exit(await serveCommand(options, terminal, stopping(), (url) => process.send?.({ ready: url })));
});

program
  .command('validate')
  .description('Check a registry and tell every mistake with its line and column')
  .argument('<registry>', 'features.yaml')
  .option('--python <path>', 'Python that is asked of the functions; as for serve where left out')
  .addHelpText('after', '\nExit status: 0 where it is right, 1 where it is not.')
  .action(async (path: string, options: { python?: string }) => {
    const { validateCommand } = await import('./registry/validate-command.ts');
    exit(await validateCommand(path, options, terminal.out, terminal.err));
  });

program
  .command('check')
  .description('Check a registry, then run its Python features on made-up windows and tell which break the contract')
  .argument('<registry>', 'features.yaml')
  .option('--python <path>', 'Python that runs the functions; as for serve where left out')
  .addHelpText('after', '\nExit status: 0 where every check passed, 1 where one did not or the registry is wrong.')
  .action(async (path: string, options: { python?: string }) => {
    const { checkCommand } = await import('./cli/check.ts');
    exit(await checkCommand(path, options, terminal));
  });

program
  .command('get')
  .description('Show the features of some entities')
  .argument('<entity-ids...>', 'such as ORD ATL')
  .option('--view <name>', 'view; may be left out where the registry has one')
  .option('--version <version>', 'version of the view; the last that is not deprecated where left out')
  .option('--features <names>', 'names with commas between; all where left out', list)
  .option('--service <name>', 'feature service, in the place of view, version and features')
  .option('--request <name=value>', 'input of the request; may be given several times', collect)
  .option('--as-of <time>', 'as they were at this time (ISO 8601 or epoch milliseconds)')
  .option('--position <n>', 'as known at this position of the log')
  .option('--timeout-ms <ms>', 'deadline in milliseconds', positive, 5000)
  .option('--json', 'one JSON object a line instead of a table', false)
  .option('--url <url>', 'engine', HTTP_URL)
  .addHelpText(
    'after',
    '\nExit status: 0, or 1 where the engine refused, could not be reached or had no value for some entity.',
  )
  .action(async (ids: string[], options) => {
    const { getCommand } = await import('./cli/get.ts');
    exit(await getCommand(ids, options, terminal));
  });

program
  .command('watch')
  .description('Show live updates of some entities')
  .argument('<entity-ids...>', 'such as ORD ATL')
  .option('--view <name>', 'view; may be left out where the registry has one')
  .option('--version <version>', 'version of the view; the last that is not deprecated where left out')
  .option('--features <names>', 'names with commas between; all where left out', list)
  .option('--service <name>', 'feature service, in the place of view, version and features')
  .option('--json', 'one JSON object a line, also on a terminal', false)
  .option('--url <url>', 'engine', WS_URL)
  .addHelpText(
    'after',
    '\nA lost connection is made again. Exit status: 0 after Ctrl-C, 1 where the engine refused or was never reached.',
  )
  .action(async (ids: string[], options) => {
    const { watchCommand } = await import('./cli/watch.ts');
    exit(await watchCommand(ids, options, terminal, stopping()));
  });

program
  .command('ingest')
  .description('Send the events of a file to a running engine; run again after an interrupt, it goes on')
  .argument('<file>', 'Parquet, CSV or NDJSON')
  .requiredOption('--source <name>', 'source that the events are of')
  .option('--after <time>', 'only events later than this (ISO 8601)')
  .option('--until <time>', 'only events up to and including this (ISO 8601)')
  .option('--producer <name>', 'who the events are from; a name made of the content of the file where left out')
  .option('--python <path>', 'Python that reads the file; as for serve where left out')
  .option('--url <url>', 'engine', HTTP_URL)
  .addHelpText(
    'after',
    '\nExit status: 0 all were taken, 1 the file or the engine failed, 3 some events were rejected, 130 interrupted.',
  )
  .action(async (file: string, options) => {
    const { ingestCommand } = await import('./cli/ingest.ts');
    exit(await ingestCommand(file, options, terminal, stopping()));
  });

program
  .command('replay')
  .description('Send the events of a file as live ones, each when it is due')
  .argument('<file>', 'Parquet, CSV or NDJSON, in order of time')
  .requiredOption('--source <name>', 'source that the events are of')
  .requiredOption('--after <time>', 'only events later than this, where the time of the replay begins (ISO 8601)')
  .requiredOption('--until <time>', 'only events up to and including this (ISO 8601)')
  .option('--speed <factor>', 'event time over real time', positive, 1)
  .option('--loop', 'begin again at the end, with times moved on by the length of the replay', false)
  .option('--producer <name>', 'who the events are from; a replay under the same name goes on where it was', 'replay')
  .option('--python <path>', 'Python that reads the file; as for serve where left out')
  .option('--url <url>', 'engine', WS_URL)
  .addHelpText('after', '\nExit status: 0 all was sent or Ctrl-C, 1 the file or the engine failed.')
  .action(async (file: string, options) => {
    const { replayCommand } = await import('./cli/replay.ts');
    exit(await replayCommand(file, options, terminal, stopping()));
  });

/** Ends the process once its output is written. */
function exit(status: number): void {
  process.exitCode = status;
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  } else if (error instanceof RegistryError) {
    terminal.err(`${error.message}\n`);
    process.exitCode = 1;
  } else if (error instanceof HeadraceError) {
    terminal.err(`headrace: ${error.message} [${error.code}]\n`);
    process.exitCode = error.code === 'bad_request' ? USAGE : 1;
  } else {
    throw error;
  }
}
