import type { Micros } from '../clock.ts';

/** Microseconds by unit, longest first. */
export const DURATION_UNITS = {
  d: 86_400_000_000,
  h: 3_600_000_000,
  m: 60_000_000,
  s: 1_000_000,
  ms: 1000,
} as const satisfies Record<string, Micros>;

/** A hundred years: sums of a few stay exact in a double. */
export const DURATION_MAX: Micros = 36_500 * DURATION_UNITS.d;

type Unit = keyof typeof DURATION_UNITS;

/** What people write for a unit elsewhere, told to them in ours. */
const FOREIGN_UNITS: Record<string, [number, Unit]> = {
  w: [7, 'd'],
  week: [7, 'd'],
  weeks: [7, 'd'],
  day: [1, 'd'],
  days: [1, 'd'],
  hour: [1, 'h'],
  hours: [1, 'h'],
  hr: [1, 'h'],
  min: [1, 'm'],
  mins: [1, 'm'],
  minute: [1, 'm'],
  minutes: [1, 'm'],
  sec: [1, 's'],
  secs: [1, 's'],
  second: [1, 's'],
  seconds: [1, 's'],
};

/**
 * Reads `1h`, `7d`, `30m`, `90s`, `500ms`, or `0`.
 *
 * @returns microseconds, or the sentence that says what is wrong
 */
export function parseDuration(text: string): Micros | { problem: string } {
  if (text === '0') return 0;
  const match = /^(\d{1,15})(d|h|m|s|ms)$/.exec(text);
  if (match === null) return { problem: `expected a duration such as 90s, 30m, 1h or 7d${hint(text)}` };
  const micros = Number(match[1]) * DURATION_UNITS[match[2] as Unit];
  return micros <= DURATION_MAX ? micros : { problem: `the longest duration is ${formatDuration(DURATION_MAX)}` };
}

/** The shortest text that {@link parseDuration} reads as `micros`, which must be whole milliseconds. */
export function formatDuration(micros: Micros): string {
  if (micros === 0) return '0';
  const units = Object.entries(DURATION_UNITS);
  const [unit, size] = units.find(([, size]) => micros % size === 0) ?? ['ms', DURATION_UNITS.ms];
  return `${micros / size}${unit}`;
}

/** What is most likely meant, told in one whole number and unit. */
function hint(text: string): string {
  if (/^\d{1,6}$/.test(text)) return `; a number needs its unit: write ${text}s, ${text}m, ${text}h or ${text}d`;
  if (!/^\s*(\d{1,6}(\.\d{1,6})?\s*[a-z]{1,8}\s*){1,4}$/i.test(text)) return '';
  let micros = 0;
  for (const [, count, unit] of text.toLowerCase().matchAll(/([\d.]+)\s*([a-z]+)/g)) {
    const [times, own] = Object.hasOwn(FOREIGN_UNITS, unit!) ? FOREIGN_UNITS[unit!]! : [1, unit!];
    if (!Object.hasOwn(DURATION_UNITS, own)) return '';
    micros += Math.round(Number(count) * times * DURATION_UNITS[own as Unit]);
  }
  return micros > 0 && micros % DURATION_UNITS.ms === 0 ? `; write ${formatDuration(micros)}` : '';
}
