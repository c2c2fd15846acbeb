import type { Reader, Value } from './reader.ts';
import { didYouMean, listOf, quote } from './suggest.ts';

/** A closed set of words. */
export interface Choice<T extends string> {
  /** As in "unknown aggregation". */
  noun: string;
  known: readonly T[];
  /** Designed, but not offered by this version. */
  later?: readonly string[];
  /** What other systems call them, and what to write here. */
  synonyms?: { readonly [name: string]: string };
}

/** The word in the value, or null where it is none of the choice, which has been reported then. */
export function readChoice<T extends string>(reader: Reader, value: Value, choice: Choice<T>): T | null {
  const { noun, known, later = [], synonyms = {} } = choice;
  const text = reader.text(value, `one of ${listOf(known)}`);
  if (text === null) return null;
  const found = known.find((word) => word === text);
  if (found !== undefined) return found;
  const expected = `expected one of ${listOf(known)}`;
  const word = text.toLowerCase();
  if (later.includes(word)) {
    reader.report(value, `${noun} ${quote(text)} is not offered by this version of Headrace; ${expected}`);
    return null;
  }
  const hint = Object.hasOwn(synonyms, word) ? `; write ${synonyms[word]}` : didYouMean(text, known);
  reader.report(value, `unknown ${noun} ${quote(text)}, ${expected}${hint}`);
  return null;
}
