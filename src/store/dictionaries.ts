/**
 * The main thread's mirror of the log's dictionaries: what turns an entity id or a category into the code that the
 * log, the frames and the workers use. Follows the log by {@link Dictionaries.apply}.
 */
import type { DictionaryDelta } from './log-row.ts';
import type { LogState } from './store.ts';
import { TextCodes } from './text-codes.ts';

export class Dictionaries {
  readonly #mirrors = new Map<string, TextCodes>();

  constructor(dictionaries: LogState['dictionaries']) {
    for (const { name, values } of dictionaries) this.#mirrors.set(name, new TextCodes(values));
  }

  /** @param name `@ENTITY` or `SOURCE.FIELD`. @returns −1 for a value that the log has not seen */
  codeOf(name: string, value: string): number {
    return this.#mirrors.get(name)?.codeOf(value) ?? -1;
  }

  valueOf(name: string, code: number): string | undefined {
    return this.#mirrors.get(name)?.values[code];
  }

  size(name: string): number {
    return this.#mirrors.get(name)?.values.length ?? 0;
  }

  /** New entries of a commit; in the order of the commits. */
  apply({ name, values }: DictionaryDelta): void {
    let mirror = this.#mirrors.get(name);
    if (mirror === undefined) {
      mirror = new TextCodes();
      this.#mirrors.set(name, mirror);
    }
    for (const value of values) mirror.give(value);
  }
}
