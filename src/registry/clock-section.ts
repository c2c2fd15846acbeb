import { readChoice } from './choice.ts';
import { DEFAULTS, GRAMMAR } from './grammar.ts';
import type { Entry, Reader, Value } from './reader.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { Registry } from './view.ts';

export const CLOCK_MODES = ['wall', 'event'] as const;

type Clock = Registry['clock'];

/**
 * Reads `wall`, `event`, or `{mode: event, sources: [a, b]}`.
 *
 * @param sources names of the declared sources; null where they could not be read
 */
export function readClock(reader: Reader, entry: Entry | undefined, sources: ReadonlySet<string> | null): Clock {
  if (entry === undefined) return { mode: DEFAULTS.clock, sources: null };
  if (!reader.isMap(entry.value)) return { mode: readMode(reader, entry.value), sources: null };
  const record = reader.record(entry, GRAMMAR.clock);
  const mode = record?.get('mode');
  const listed = record?.get('sources');
  const clock: Clock = { mode: mode === undefined ? 'event' : readMode(reader, mode.value), sources: null };
  if (listed === undefined) return clock;
  if (clock.mode === 'wall') reader.report(listed.key, 'only an event clock follows sources; leave them out');
  clock.sources = readSources(reader, listed, sources);
  return clock;
}

const readMode = (reader: Reader, value: Value): Clock['mode'] =>
  readChoice(reader, value, { noun: 'clock', known: CLOCK_MODES }) ?? DEFAULTS.clock;

function readSources(reader: Reader, entry: Entry, known: ReadonlySet<string> | null): string[] {
  const names: string[] = [];
  const values = reader.list(entry.value, 'sources');
  if (values?.length === 0)
    reader.report(entry.key, 'an empty list would stop the clock; name a source, or leave it out');
  for (const value of values ?? []) {
    const name = reader.text(value, "a source's name");
    if (name === null) continue;
    if (names.includes(name)) reader.report(value, `${quote(name)} is listed twice; keep one of the two`);
    if (known !== null && !known.has(name)) {
      const there = `; the sources are ${listOf(known)}`;
      reader.report(value, `unknown source ${quote(name)}${there}${didYouMean(name, known)}`);
    }
    names.push(name);
  }
  return names;
}
