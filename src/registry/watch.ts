/** Tells when a registry or the Python modules beside it have changed on disk. */
import { type BigIntStats, type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { TimerHandle, Timers } from '../clock.ts';

/** An editor that saves makes several changes at once, and some write in pieces: wait until they have ended. */
const QUIET_MS = 200;

export interface Watcher {
  close(): void;
}

/**
 * Watches the folder rather than the file: editors write a new file and rename it, and a folder that is mounted anew
 * swaps a link. What else happens in the folder is no change.
 *
 * @returns once it knows how things are: a change after that is told of
 * @param changed called once things are quiet, in which the file or a module is other than when last looked at
 * @param failed called where the folder cannot be watched any more
 */
export async function watchRegistry(
  path: string,
  timers: Timers,
  changed: () => void,
  failed: (error: Error) => void,
): Promise<Watcher> {
  const folder = dirname(path);
  let timer: TimerHandle = null;
  let closed = false;
  let known = '';
  const look = async (): Promise<void> => {
    await first;
    const now = await signatureOf(folder, basename(path));
    if (now === known || closed) return;
    known = now;
    changed();
  };
  const touched = (): void => {
    timers.clearTimeout(timer);
    timer = timers.setTimeout(() => void look(), QUIET_MS);
  };
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(folder, { persistent: false }, touched);
    watcher.on('error', failed);
  } catch (error) {
    failed(error as Error);
  }
  const first = signatureOf(folder, basename(path)).then((signature) => {
    known = signature;
  });
  await first;
  return {
    close() {
      closed = true;
      timers.clearTimeout(timer);
      watcher?.close();
    },
  };
}

/** A text that is another one whenever the registry's file or a Python module has been written or replaced. */
async function signatureOf(folder: string, file: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const wanted = names.filter((name) => name === file || name.endsWith('.py')).sort();
  const stats = await Promise.all(wanted.map((name) => stat(join(folder, name), { bigint: true }).catch(() => null)));
  return JSON.stringify(wanted.map((name, i) => [name, marksOf(stats[i]!)]));
}

const marksOf = (stats: BigIntStats | null): string | null =>
  stats === null ? null : `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
