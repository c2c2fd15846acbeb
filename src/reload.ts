/**
 * The life of the registry: what is served, what was promised under its names, and how another one takes over.
 *
 * A registry takes over only where it is right by itself, keeps what was promised, and is written down in the log; else
 * the one before serves on. All that takes time happens before, so that the change itself is one turn.
 */
import { readFile } from 'node:fs/promises';
import { HeadraceError } from './errors.ts';
import type { Logger } from './fleet/logger.ts';
import {
  type Lasting,
  newDefinitions,
  type Refusal,
  refusals,
  removedVersions,
  versionKey,
} from './registry/lasting.ts';
import type { LoadedRegistry } from './registry/load-thread.ts';
import { Places } from './registry/place-of.ts';
import { type Problem, RegistryError } from './registry/problems.ts';
import { type Change, changeOf } from './registry/reload.ts';
import type { Registry } from './registry/view.ts';
import type { StoredDefinition } from './store/definitions.ts';
import type { SchemaSpec } from './store/log-row.ts';
import type { Defined, LogState, Store } from './store/store.ts';
import type { ReloadAnswer } from './wire/bodies.ts';

export interface ReloadsOptions {
  store: Pick<Store, 'define'>;
  /** The log as it was when it was opened. */
  state: LogState;
  /** Reads and checks the file at a path, away from the main thread. */
  load: (path: string) => Promise<LoadedRegistry>;
  logger: Logger;
}

/** What takes part in a change of the registry. */
export interface Served {
  readonly registry: Registry;
  /** Newest timestamp by source. */
  readonly newest: ReadonlyMap<string, number>;
  takeOver(change: Change, schemas: Record<string, SchemaSpec>): void;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  readonly #definitions: Map<string, StoredDefinition>;
  #schemas: Record<string, SchemaSpec>;
  /** The reload under way, or the last: two never overlap. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#schemas = options.state.schemas;
    this.#definitions = new Map(options.state.definitions.map((one) => [versionKey(one.view, one.version), one]));
  }

  /**
   * The registry of a start, once the log knows its definitions.
   *
   * @param force changed definitions are wanted
   * @throws RegistryError where it does not keep what was promised
   */
  async begin(registry: Registry, force: boolean): Promise<Registry> {
    const hasEvents = (source: string) => Object.hasOwn(this.#options.state.newest, source);
    await this.#check(registry, { clock: null, hasEvents }, force);
    await this.#define(registry);
    return this.#withRemoved(registry);
  }

  /**
   * Reads the file of the registry again and lets it take over.
   *
   * @throws HeadraceError `invalid_registry` with `data.problems`, or `store_unavailable`; the one before serves on
   */
  reload(served: Served, force: boolean): Promise<ReloadAnswer> {
    const done = this.#last.then(() => this.#reload(served, force));
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Begins no reload any more; resolves when that under way has ended. */
  close(): Promise<unknown> {
    this.#closed = true;
    return this.#last;
  }

  async #reload(served: Served, force: boolean): Promise<ReloadAnswer> {
    const { load, logger } = this.#options;
    if (this.#closed) throw new HeadraceError('draining', 'the server is shutting down; it reads no registry any more');
    try {
      const loaded = await load(served.registry.path);
      if ('problems' in loaded) throw new RegistryError(loaded.problems);
      const { registry } = loaded;
      const hasEvents = (source: string) => served.newest.has(source);
      await this.#check(registry, { clock: served.registry.clock, hasEvents }, force);
      const { position } = await this.#define(registry);
      const change = changeOf(served.registry, this.#withRemoved(registry));
      served.takeOver(change, this.#schemas);
      const { added, removed, changed, unchanged, sources } = change;
      const answer = { position, added, removed, changed, unchanged, sources };
      logger.info(answer, 'the registry was read again and serves');
      return answer;
    } catch (error) {
      if (!(error instanceof RegistryError)) {
        logger.error({ err: error }, 'the registry could not be read again; the one before serves on');
        throw error;
      }
      const { problems } = error;
      logger.error({ problems }, 'the registry cannot take over; the one before serves on');
      const count = problems.length === 1 ? 'a problem' : `${problems.length} problems, the first`;
      const sentence = `the registry has ${count}: ${error.message.split('\n')[0]}`;
      throw new HeadraceError('invalid_registry', sentence, { data: { problems } });
    }
  }

  async #check(registry: Registry, now: Pick<Lasting, 'clock' | 'hasEvents'>, force: boolean): Promise<void> {
    const lasting = { definitions: this.#definitions, schemas: this.#schemas, ...now };
    const found = refusals(registry, lasting, force);
    if (found.length > 0) throw new RegistryError(await placed(found, registry.path));
  }

  async #define(registry: Registry): Promise<Defined> {
    const definitions = newDefinitions(registry, this.#definitions).map(({ name, version, hash, plan }) => {
      return { view: name, version, hash, plan };
    });
    const defined = await this.#options.store.define({ sources: [...registry.sources.values()], definitions });
    for (const one of definitions) {
      this.#definitions.set(versionKey(one.view, one.version), { ...one, position: defined.position });
    }
    this.#schemas = defined.schemas;
    return defined;
  }

  #withRemoved(registry: Registry): Registry {
    return { ...registry, removed: removedVersions(registry, this.#definitions) };
  }
}

/** The file is read once more for it, which is seldom; where it has changed since, a line may be beside the mark. */
async function placed(found: readonly Refusal[], path: string): Promise<Problem[]> {
  const places = new Places(await readFile(path, 'utf8').catch(() => ''), path);
  return found.map((refusal) => places.problem(refusal.path, refusal.message));
}
