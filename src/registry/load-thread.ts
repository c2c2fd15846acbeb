/** Reads a registry in a thread: a large one takes longer than a request may wait. */
import { loadRegistry } from './load.ts';
import { type Problem, RegistryError } from './problems.ts';
import type { Registry } from './view.ts';

/** Errors lose their class between threads. */
export type LoadedRegistry = { registry: Registry } | { problems: readonly Problem[] };

export default async function load({ path, python }: { path: string; python: string }): Promise<LoadedRegistry> {
  try {
    return { registry: await loadRegistry(path, { python }) };
  } catch (error) {
    if (error instanceof RegistryError) return { problems: error.problems };
    throw error;
  }
}
