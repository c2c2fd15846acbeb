/** Keys that go with some of the aggregations or functions only. */
import type { FeatureRecord } from './declared.ts';
import type { OwnKey } from './feature-words.ts';
import type { Entry, Reader } from './reader.ts';
import { listOf } from './suggest.ts';

/**
 * Reports the keys that `word` needs and that are not there, and those that are there and go with others.
 *
 * @param entry the feature
 * @param word its aggregation or function
 * @returns whether all is well
 */
export function checkOwnKeys(
  reader: Reader,
  entry: Entry,
  record: FeatureRecord,
  word: string,
  keys: Readonly<Record<string, OwnKey>>,
): boolean {
  let well = true;
  for (const [key, { of, such }] of Object.entries(keys)) {
    const item = record.get(key);
    if (item !== undefined && !of.includes(word)) {
      reader.report(item.key, `${key} goes with ${listOf(of)} only, found it with ${word}; leave it out`);
      well = false;
    }
    if (item === undefined && of.includes(word) && such !== undefined) {
      reader.report(entry.key, `${word} needs ${key}, and it is not here; add it, such as ${key}: ${such}`);
      well = false;
    }
  }
  return well;
}
