/** What features leave out, said once for many. */
import { isScalar } from 'yaml';
import { readChoice } from './choice.ts';
import type { FeatureRecord } from './declared.ts';
import { TIMES_ALONE } from './feature-words.ts';
import { type FeatureType, GRAMMAR } from './grammar.ts';
import type { Entry, Reader } from './reader.ts';
import { CLOSED } from './window.ts';

/** By key. */
export type Defaults = ReadonlyMap<string, Entry>;

/** @param outer those that hold around this block, and give way to it */
export function readDefaults(reader: Reader, entry: Entry | undefined, outer: Defaults = new Map()): Defaults {
  const record = entry && reader.record(entry, GRAMMAR.defaults);
  if (record == null) return outer;
  checkDefaults(reader, record);
  return new Map([...outer, ...record]);
}

/** Reports what is wrong with the values themselves, for there may be no feature that takes them. */
export function checkDefaults(reader: Reader, record: FeatureRecord): void {
  const [window, offset, closed] = [record.get('window'), record.get('offset'), record.get('closed')];
  for (const key of ['source', 'field']) {
    const item = record.get(key);
    if (item !== undefined) reader.text(item.value, `a ${key}'s name`);
  }
  if (window !== undefined) reader.duration(window.value, true);
  if (offset !== undefined) reader.duration(offset.value, false);
  if (closed !== undefined) readChoice(reader, closed.value, { noun: 'closed', known: CLOSED });
}

/** The keys of a feature with those defaults that it takes and does not have. */
export function withDefaults(type: FeatureType, record: FeatureRecord, defaults: Defaults): FeatureRecord {
  const takes: readonly string[] = GRAMMAR[type].optional;
  const added = [...defaults].filter(([key]) => {
    if (!takes.includes(key) || record.has(key)) return false;
    if (key === 'window') return !record.has('windows');
    return key !== 'field' || needsField(record);
  });
  return added.length === 0 ? record : new Map([...record, ...added]);
}

/** Without a field some count events or look at their times, and one would make something else of them. */
function needsField(record: FeatureRecord): boolean {
  const node = (record.get('aggregation') ?? record.get('function'))?.value.node;
  return !isScalar(node) || !WITHOUT_FIELD.has(String(node.value));
}

const WITHOUT_FIELD: ReadonlySet<string> = new Set(['count', 'share_where', ...TIMES_ALONE]);
