/**
 * Parts of a moment as the calendar of a time zone has them: the twin of `python/headrace/expressions/calendars.py`.
 *
 * Asking Intl costs microseconds, so the offset of a zone from UTC is looked up once a day and zone, and on a day on
 * which it changes the second of the change is searched for. The rules of zones are those of the IANA data that Node
 * came with, as Python's are of its own: they agree where both know of the latest change of law.
 */
import type { Micros } from '../clock.ts';
import type { CalendarFunction } from '../registry/view.ts';

const DAY_S = 86_400;
/** Days of one zone whose offsets are remembered; past them all are forgotten. */
const DAYS_KEPT = 4096;

/** Day of the week, Monday is 0. The epoch was a Thursday. */
const weekday = (day: number): number => (((day + 3) % 7) + 7) % 7;

/** From seconds of local time since 1970-01-01T00:00 there. */
const PARTS: Record<CalendarFunction, (local: number) => number> = {
  hour_of_day: (local) => Math.floor((local - Math.floor(local / DAY_S) * DAY_S) / 3600),
  day_of_week: (local) => weekday(Math.floor(local / DAY_S)),
  is_weekend: (local) => (weekday(Math.floor(local / DAY_S)) >= 5 ? 1 : 0),
  day_of_month: (local) => new Date(local * 1000).getUTCDate(),
  month: (local) => new Date(local * 1000).getUTCMonth() + 1,
};

/** @returns a function of a time, which may be NaN as its value may: null */
export function calendar(name: CalendarFunction, zone: string): (time: Micros) => number {
  const part = PARTS[name];
  if (zone === 'UTC') return (time) => (Number.isNaN(time) ? time : part(wholeSeconds(time)));
  const offsets = zoneOf(zone);
  return (time) => {
    if (Number.isNaN(time)) return time;
    const seconds = wholeSeconds(time);
    return part(seconds + offsets.at(seconds));
  };
}

/** Exact, where a division would round the last microsecond of a second up after the year 2242. */
function wholeSeconds(time: Micros): number {
  const rest = time % 1e6;
  return (time - (rest < 0 ? rest + 1e6 : rest)) / 1e6;
}

const zones = new Map<string, ZoneOffsets>();

/** Zones are those of registries: few. */
function zoneOf(name: string): ZoneOffsets {
  let zone = zones.get(name);
  if (zone === undefined) {
    zone = new ZoneOffsets(name);
    zones.set(name, zone);
  }
  return zone;
}

/** Of one day: up to `cut`, seconds since the epoch, the offset is `before`, from then on `after`, both in seconds. */
interface DayOffsets {
  cut: number;
  before: number;
  after: number;
}

class ZoneOffsets {
  readonly #format: Intl.DateTimeFormat;
  readonly #days = new Map<number, DayOffsets>();

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /** @returns the offset from UTC, in seconds */
  at(seconds: number): number {
    const number = Math.floor(seconds / DAY_S);
    let day = this.#days.get(number);
    if (day === undefined) {
      if (this.#days.size >= DAYS_KEPT) this.#days.clear();
      day = this.#search(number * DAY_S);
      this.#days.set(number, day);
    }
    return seconds < day.cut ? day.before : day.after;
  }

  #search(start: number): DayOffsets {
    let low = start;
    let high = start + DAY_S;
    const before = this.#offset(low);
    const after = this.#offset(high);
    if (before === after) return { cut: low, before, after };
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offset(middle) === before) low = middle;
      else high = middle;
    }
    return { cut: high, before, after };
  }

  /** What the zone's clocks show, read as UTC, less the moment itself. */
  #offset(seconds: number): number {
    const shown: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(seconds * 1000)) shown[type] = Number(value);
    const { year, month, day, hour, minute, second } = shown;
    return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) / 1000 - seconds;
  }
}
