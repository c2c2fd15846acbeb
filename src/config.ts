/**
 * Every option of the engine: name, default, unit, limits and meaning. Command-line flags, what `headrace serve --help`
 * says of them and the validation are made from this one list. Units stand last in the name.
 */
import { HeadraceError } from './errors.ts';

export interface Option {
  default: number | string;
  /** Limits of a number, both included. */
  min?: number;
  max?: number;
  /** The only texts taken; left out: any. */
  choices?: readonly string[];
  description: string;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const OPTIONS = {
  host: { default: '127.0.0.1', description: 'Address to listen on; without authentication only loopback is accepted' },
  port: { default: 8787, min: 0, max: 65535, description: 'Port to listen on; 0 takes a free one' },
  data: { default: '.data', description: 'Folder of the log' },
  workers: { default: 0, min: 0, max: 256, description: 'Python workers; 0: one a core' },
  shards: { default: 64, min: 1, max: 4096, description: 'Virtual shards, fixed when the data folder is made' },
  python: { default: '', description: 'Python interpreter; empty: .venv/bin/python beside the package, else python3' },
  registry_watch: {
    default: 'on',
    choices: ['on', 'off'],
    description: 'Read the registry again when its file or a Python module beside it changes; SIGHUP does at any time',
  },
  log_level: {
    default: 'info',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    description: 'Least severity of the log lines on stderr',
  },

  durability: {
    default: 'full',
    choices: ['full', 'normal'],
    description: 'full: a commit waits for the disk; normal: survives a crash of the engine, not of the machine',
  },
  commit_bytes_max: { default: 16 * MIB, min: 64 * KIB, description: 'Bytes of events one transaction takes' },
  ingest_inflight_bytes_max: {
    default: 64 * MIB,
    min: MIB,
    description: 'Bytes of events between the edge and the disk; past it producers are told overloaded',
  },
  batch_key_days: {
    default: 7,
    min: 1,
    max: 365,
    description: 'Days of wall time for which a producer batch is remembered',
  },

  cache_entries_max: { default: 50_000, min: 1, description: 'Rows in the cache' },
  cache_bytes_max: { default: 256 * MIB, min: MIB, description: 'Bytes of rows and their text in the cache' },
  cache_purge_interval_ms: { default: 30_000, min: 100, description: 'How often expired rows are dropped' },
  memory_guard_bytes: {
    default: 1_800_000_000,
    min: 0,
    description: 'Resident size of the main process at which the cache gives back a fifth; 0 is off',
  },

  timeout_ms: { default: 5000, min: 1, max: 60_000, description: 'Deadline of a request that names none' },
  entity_ids_max: { default: 10_000, min: 1, description: 'Entity ids a request or subscription message' },
  entity_id_bytes_max: { default: 512, min: 1, max: 4096, description: 'UTF-8 bytes of an entity id' },
  message_bytes_max: { default: 4 * MIB, min: KIB, description: 'Bytes of one WebSocket message or JSON body' },
  events_max: { default: 100_000, min: 1, description: 'Events of one ingest message or JSON body' },
  topics_max: { default: 64, min: 1, description: 'Topics a connection' },
  inflight_max: { default: 1024, min: 1, description: 'Requests under way a connection' },
  subscriptions_max: { default: 100_000, min: 1, description: 'Subscribed entities a connection' },
  large_reply_bytes: {
    default: 24 * KIB,
    min: 1,
    description:
      'Replies above this are made in a worker thread; where that begins to pay is measured by bench/replies.ts',
  },
  threads: { default: 2, min: 1, max: 64, description: 'Piscina threads for large replies and drift' },

  ping_ms: { default: 25_000, min: 100, description: 'Interval of WebSocket pings' },
  ping_slack_ms: { default: 10_000, min: 100, description: 'How long a pong may take' },
  send_watermark_bytes: {
    default: MIB,
    min: KIB,
    description: 'Buffered bytes of a connection above which its updates are conflated',
  },
  reply_queue_bytes_max: {
    default: 16 * MIB,
    min: KIB,
    description: 'Buffered bytes of a connection above which it is closed with 4508',
  },

  rows_per_frame_max: { default: 65_536, min: 1, description: 'Entities computed by one frame to a worker' },
  frame_bytes_max: { default: 16 * MIB, min: 64 * KIB, description: 'Bytes of events in one frame to a worker' },
  pending_apply_bytes_max: {
    default: 64 * MIB,
    min: MIB,
    description: 'Bytes of events waiting for one worker; past it the worker reads the log instead',
  },
  pending_jobs_max: {
    default: 200_000,
    min: 1,
    description: 'Entities waiting to be computed; past it requests are told overloaded',
  },
  hang_ms: { default: 10_000, min: 100, description: "Age of a worker's oldest request at which it is taken for hung" },
  start_ms: {
    default: 20_000,
    min: 100,
    description: 'How long a worker may take to say hello, and between two signs of progress while it loads',
  },
  restart_backoff_ms_max: { default: 30_000, min: 100, description: 'Longest pause before a worker is started again' },
  drain_ms: { default: 8000, min: 0, description: 'How long a stop waits for requests under way' },

  drift_interval_ms: { default: 60_000, min: 100, description: "Tick of drift detection, on the engine's clock" },
  drift_window: { default: 2000, min: 200, max: 100_000, description: 'Vectors in the rolling window' },
  drift_baseline: { default: 2000, min: 200, max: 100_000, description: 'First vectors, which make the baseline' },
  drift_entities_max: { default: 1000, min: 1, description: 'Active entities sampled a tick and view' },
  drift_threshold: { default: 0.15, min: 0, description: 'Seed score above which a feature drifts' },
  alert_ring: { default: 1000, min: 1, description: 'Alerts kept for clients that come back' },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;

type Widen<T> = T extends number ? number : string;

export type Config = { [Name in OptionName]: Widen<(typeof OPTIONS)[Name]['default']> };

export function defaultConfig(): Config {
  const entries = Object.entries(OPTIONS).map(([name, option]) => [name, option.default]);
  return Object.fromEntries(entries) as Config;
}

/** The name of an option on the command line: `cache_entries_max` is `--cache-entries-max`. */
export const flagOf = (name: string): string => `--${name.replaceAll('_', '-')}`;

/**
 * The defaults with some options set.
 * @param given texts by option name, as they come from a command line
 * @throws HeadraceError `bad_request` that names the flag, what was found and what is taken
 */
export function parseConfig(given: Readonly<Record<string, string>>): Config {
  const config: Record<string, number | string> = defaultConfig();
  for (const [name, text] of Object.entries(given)) {
    const option: Option | undefined = OPTIONS[name as OptionName];
    if (option === undefined) throw new HeadraceError('bad_request', `There is no option ${flagOf(name)}.`);
    config[name] = typeof option.default === 'number' ? parseNumber(name, option, text) : parseText(name, option, text);
  }
  return config as Config;
}

function parseNumber(name: string, option: Option, text: string): number {
  const value = Number(text);
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = option;
  const whole = !Number.isInteger(option.default) || Number.isInteger(value);
  if (text.trim() === '' || Number.isNaN(value) || !whole || value < min || value > max) {
    const kind = Number.isInteger(option.default) ? 'a whole number' : 'a number';
    const range = Number.isFinite(max) ? `from ${min} to ${max}` : `of at least ${min}`;
    throw new HeadraceError('bad_request', `${flagOf(name)} is '${text}'; it takes ${kind} ${range}.`);
  }
  return value;
}

function parseText(name: string, option: Option, text: string): string {
  if (option.choices !== undefined && !option.choices.includes(text)) {
    throw new HeadraceError('bad_request', `${flagOf(name)} is '${text}'; it takes ${option.choices.join(', ')}.`);
  }
  return text;
}
