import type { Source } from '../registry/view.ts';

/** The columns that a source reads of its events: those of its keys, its time and its fields, each once. */
export function columnsOf({ keys, timestamp, fields }: Pick<Source, 'keys' | 'timestamp' | 'fields'>): string[] {
  const ofKeys = keys.flatMap(({ template }) => template.filter((_, i) => i % 2 === 1));
  return [...new Set([...ofKeys, timestamp, ...fields.map(({ name }) => name)])];
}
