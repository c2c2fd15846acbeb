import { isScalar } from 'yaml';
import { readChoice } from './choice.ts';
import type { FeatureRecord } from './declared.ts';
import { formatDuration } from './durations.ts';
import { LIMITS } from './grammar.ts';
import type { Entry, Reader, Value } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import { quote } from './suggest.ts';
import type { Window } from './view.ts';

/** A window, and what a feature's name gets behind it where it has several. */
export interface NamedWindow {
  suffix: string;
  window: Window;
}

export const CLOSED = ['right', 'left', 'both', 'neither'] as const;

/**
 * The windows that `window` or `windows` name, with `rows`, `gap`, `closed` and `offset`: one with the empty suffix,
 * or as many as `windows` lists. Null where a problem was reported, here or with the source.
 */
export function readWindows(reader: Reader, record: FeatureRecord, source: SourceDraft | null): NamedWindow[] | null {
  const value = (key: string): Value | undefined => record.get(key)?.value;
  const [rows, gap, closed, offset] = [value('rows'), value('gap'), value('closed'), value('offset')];
  const rest = {
    rows: rows && reader.whole(rows, 1, LIMITS.window_rows),
    gap: gap && reader.duration(gap, true),
    closed: closed && readChoice(reader, closed, { noun: 'closed', known: CLOSED }),
    offset: offset && reader.duration(offset, false),
  };
  const times = readTimes(reader, record, reach(reader, offset, rest.offset, source));
  if (times === null || Object.values(rest).includes(null)) return null;
  return times.map(({ suffix, time }) => ({ suffix, window: makeWindow(time, rest) }));
}

/** What equals the default is left out, so that it makes no other definition. */
function makeWindow(
  time: number,
  rest: {
    rows?: number | null | undefined;
    gap?: number | null | undefined;
    closed?: (typeof CLOSED)[number] | null | undefined;
    offset?: number | null | undefined;
  },
): Window {
  const window: Window = { time };
  if (rest.rows != null) window.rows = rest.rows;
  if (rest.gap != null) window.gap = rest.gap;
  if (rest.closed != null && rest.closed !== 'right') window.closed = rest.closed;
  if (rest.offset != null && rest.offset !== 0) window.offset = rest.offset;
  return window;
}

/** How far a window may go back, and why no further. */
interface Reach {
  most: number;
  offset: number;
  /** As in "source "orders" keeps 30d". */
  kept: string;
}

/** Null where it is not known. */
function reach(
  reader: Reader,
  at: Value | undefined,
  offset: number | null | undefined,
  source: SourceDraft | null,
): Reach | null {
  if (offset === null || source === null || source.retention === null) return null;
  const kept = `source ${quote(source.name)} keeps ${formatDuration(source.retention)}`;
  const most = source.retention - (offset ?? 0);
  if (most > 0 || at === undefined) return { most, offset: offset ?? 0, kept };
  const found = `the offset of ${formatDuration(offset ?? 0)} leaves nothing of the retention`;
  reader.report(at, `${found}: ${kept}; shorten it, or raise retention`);
  return null;
}

function readTimes(
  reader: Reader,
  record: FeatureRecord,
  reach: Reach | null,
): { suffix: string; time: number }[] | null {
  const one = record.get('window');
  const several = record.get('windows');
  if (several !== undefined) return readList(reader, several, one, reach);
  if (one === undefined) return reach && [{ suffix: '', time: reach.most }];
  const time = readTime(reader, one.value, reach);
  return time === null ? null : [{ suffix: '', time }];
}

function readList(
  reader: Reader,
  several: Entry,
  one: Entry | undefined,
  reach: Reach | null,
): { suffix: string; time: number }[] | null {
  if (one !== undefined) reader.report(one.key, 'found window beside windows; keep one of the two');
  const values = reader.list(several.value, 'durations', '[1h, 24h]');
  if (values?.length === 0) reader.report(several.value, 'found an empty list; name a duration, such as [1h, 24h]');
  const times = values?.map((value) => {
    const time = readTime(reader, value, reach);
    // The text as it is written: a window of 24h gives _24h and not _1d.
    const text = isScalar(value.node) ? String(value.node.value) : '';
    return time === null ? null : { suffix: `_${text}`, time };
  });
  if (times == null || times.length === 0 || one !== undefined) return null;
  return times.some((time) => time === null) ? null : times.filter((time) => time !== null);
}

/** Null also where the source's retention is not known. */
function readTime(reader: Reader, value: Value, reach: Reach | null): number | null {
  const time = reader.duration(value, true);
  if (time === null || reach === null || time <= reach.most) return reach && time;
  const found =
    reach.offset === 0
      ? `the window of ${formatDuration(time)} is longer than the retention`
      : `the window of ${formatDuration(time)} with its offset of ${formatDuration(reach.offset)} is longer than the retention`;
  reader.report(value, `${found}: ${reach.kept}; shorten it, or raise retention`);
  return null;
}
