/**
 * Times at the edges: text or epoch milliseconds in, RFC 3339 text with six digits of fraction out; in between
 * microseconds UTC (`Micros`).
 */
import type { Micros } from '../clock.ts';
import { HeadraceError } from '../errors.ts';

/** 1973-01-01 and 2101-01-01 in epoch milliseconds: a number outside is taken for one of another unit. */
const NUMBER_MIN_MS = 94_694_400_000;
const NUMBER_END_MS = 4_133_980_800_000;

const DAY_S = 86_400;
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

const DASH = 45;
const PLUS = 43;
const COLON = 58;
const DOT = 46;
const COMMA = 44;

/**
 * Reads a time as clients and producers write it.
 *
 * Text is ISO 8601 in its extended form: `YYYY-MM-DD`, optionally followed by `T` or a space and `hh:mm[:ss[.fraction]]`
 * (up to nine digits, cut to microseconds) and `Z` or an offset (`±hh:mm`, `±hhmm`, `±hh`); text without either is UTC.
 * A number is epoch milliseconds, rounded to microseconds; one before 1973 or after 2100 is refused, because it is
 * almost surely seconds, microseconds or nanoseconds.
 *
 * @returns microseconds since the epoch, UTC, a safe integer (the years 1684 to 2255)
 * @throws HeadraceError `invalid_time`
 */
export function parseTime(value: unknown): Micros {
  if (typeof value === 'string') return fromText(value);
  if (typeof value === 'number') return fromMilliseconds(value);
  throw new HeadraceError(
    'invalid_time',
    `a time is ISO 8601 text or a number of epoch milliseconds, not ${value === null ? 'null' : typeof value}`,
  );
}

function fromMilliseconds(ms: number): Micros {
  if (ms >= NUMBER_MIN_MS && ms < NUMBER_END_MS) return Math.round(ms * 1000);
  const plausible = (asMs: number): boolean => asMs >= NUMBER_MIN_MS && asMs < NUMBER_END_MS;
  let hint = 'multiply seconds by 1000, divide microseconds by 1000, and write any other time as ISO 8601 text';
  if (plausible(ms * 1e3)) hint = 'it looks like seconds: multiply by 1000';
  else if (plausible(ms / 1e3)) hint = 'it looks like microseconds: divide by 1000';
  else if (plausible(ms / 1e6)) hint = 'it looks like nanoseconds: divide by 1000000';
  throw new HeadraceError(
    'invalid_time',
    `${ms} is no time: numbers are epoch milliseconds between 1973 and 2100; ${hint}`,
  );
}

/** Two digits at `at`, or NaN. */
function twoDigits(text: string, at: number): number {
  const high = text.charCodeAt(at) - 48;
  const low = text.charCodeAt(at + 1) - 48;
  return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : Number.NaN;
}

function refuse(text: string, why: string): never {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  throw new HeadraceError(
    'invalid_time',
    `${JSON.stringify(shown)} is no time: ${why}; write it like "2001-06-24T00:01:00Z"`,
  );
}

function fromText(text: string): Micros {
  const days = parseDate(text);
  const length = text.length;
  if (length === 10) return toMicros(text, days * DAY_S, 0);

  const separator = text.charCodeAt(10);
  if (separator !== 84 && separator !== 32 && separator !== 116) refuse(text, 'a "T" or a space follows the date');
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  if (!(hour < 24 && minute < 60) || text.charCodeAt(13) !== COLON) {
    refuse(text, 'hours and minutes are 00:00 to 23:59');
  }
  let at = 16;
  let second = 0;
  let fraction = 0;
  if (text.charCodeAt(at) === COLON) {
    second = twoDigits(text, 17);
    if (!(second < 60)) refuse(text, 'seconds are 00 to 59');
    at = 19;
    const point = text.charCodeAt(at);
    if (point === DOT || point === COMMA) {
      const from = ++at;
      let unit = 100_000;
      for (; at < length; at++) {
        const digit = text.charCodeAt(at) - 48;
        if (!(digit >= 0 && digit <= 9)) break;
        fraction += digit * unit;
        // Past the sixth digit the unit is 0: what is finer than a microsecond is cut off.
        unit = unit === 1 ? 0 : unit / 10;
      }
      if (at === from || at - from > 9) refuse(text, 'a fraction has one to nine digits');
    }
  }
  return toMicros(text, days * DAY_S + hour * 3600 + minute * 60 + second - parseOffset(text, at), fraction);
}

/** Days since the epoch of the `YYYY-MM-DD` at the start of `text`. */
function parseDate(text: string): number {
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const shaped = year >= 0 && month >= 0 && day >= 0 && text.charCodeAt(4) === DASH && text.charCodeAt(7) === DASH;
  if (!shaped) refuse(text, 'it does not begin with a date YYYY-MM-DD');
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const inMonth = month === 2 && leap ? 29 : (MONTH_DAYS[month - 1] ?? 0);
  if (day < 1 || day > inMonth) refuse(text, 'the calendar has no such day');
  const before = year - 1;
  const leaps = Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  const dayOfYear = DAYS_BEFORE_MONTH[month - 1]! + (leap && month > 2 ? 1 : 0) + day - 1;
  // 719162 days lie between 0001-01-01 and the epoch.
  return before * 365 + leaps + dayOfYear - 719_162;
}

/** Seconds that local time is ahead of UTC by what stands from `at` to the end of `text`. */
function parseOffset(text: string, at: number): number {
  const rest = text.length - at;
  if (rest === 0) return 0;
  const sign = text.charCodeAt(at);
  if (rest === 1 && (sign === 90 || sign === 122)) return 0;
  if (sign !== PLUS && sign !== DASH) refuse(text, 'after the time only "Z" or an offset like "+02:00" may stand');
  const hours = twoDigits(text, at + 1);
  let minutes = Number.NaN;
  if (rest === 3) minutes = 0;
  else if (rest === 5) minutes = twoDigits(text, at + 3);
  else if (rest === 6 && text.charCodeAt(at + 3) === COLON) minutes = twoDigits(text, at + 4);
  if (!(hours < 24 && minutes < 60)) refuse(text, 'an offset is written like "+02:00"');
  const seconds = hours * 3600 + minutes * 60;
  return sign === PLUS ? seconds : -seconds;
}

function toMicros(text: string, seconds: number, micros: number): Micros {
  const time = seconds * 1e6 + micros;
  if (!Number.isSafeInteger(time)) refuse(text, 'years from 1684 to 2255 can be told to the microsecond');
  return time;
}

let lastSecond = Number.NaN;
let lastText = '';

/**
 * RFC 3339 in UTC with six digits of fraction, `2001-06-24T00:01:00.000000Z`.
 *
 * @param micros whole microseconds; what may be missing (NaN) is the caller's to tell apart
 */
export function formatTime(micros: Micros): string {
  const second = Math.floor(micros / 1e6);
  if (second !== lastSecond) {
    // Rows of one answer mostly share their second, so the calendar is worked out once for many.
    lastText = new Date(second * 1000).toISOString().slice(0, 20);
    lastSecond = second;
  }
  return `${lastText}${String(1_000_000 + (micros - second * 1e6)).slice(1)}Z`;
}
