/** Which events of a batch are taken, which of them are late, and what that does to the clock: pure, in log order. */
import type { Micros } from '../clock.ts';
import type { Registry, Source } from '../registry/view.ts';
import { formatTime } from '../wire/time.ts';
import type { Batch, Rejection } from './log-row.ts';

/** Where the log stands, batch by batch. */
export interface Head {
  position: number;
  /** 0 while an event clock has seen no event. */
  clock: Micros;
  /** Newest timestamp by source. */
  newest: Map<string, Micros>;
}

export interface Verdict {
  accepted: number;
  /** Rows that are taken; null: all. */
  kept: Int32Array | null;
  /** Indexes of late events among those taken, ascending. */
  late: number[];
  /** Those of the batch and those found here, by index in the request. */
  rejected: Rejection[];
  clock: Micros;
  oldest: Micros;
  newest: Micros;
}

export function judge(batch: Batch, source: Source, mode: Registry['clock'], head: Head): Verdict {
  const { timestamps, n } = batch;
  const moves = movesClock(mode, source.name);
  const lateBefore = (head.newest.get(source.name) ?? -Infinity) - source.lateness;
  let clock = mode.mode === 'wall' ? Math.max(head.clock, batch.wall) : head.clock;
  // Nothing is ahead of an empty log, nor of an event clock that no event has set.
  let ahead = head.position === 0 || clock === 0 ? Infinity : clock + source.maxAhead;
  let kept: Int32Array | null = null;
  let accepted = 0;
  let oldest = Infinity;
  let newest = -Infinity;
  const late: number[] = [];
  const rejected: Rejection[] = [];
  for (let i = 0; i < n; i++) {
    const ts = timestamps[i]!;
    if (ts > ahead) {
      kept ??= Int32Array.from({ length: n }, (_, row) => row);
      rejected.push({ index: batch.index?.[i] ?? i, code: 'too_far_ahead', message: tooFarAhead(ts, clock, source) });
      continue;
    }
    if (kept !== null) kept[accepted] = i;
    if (ts < lateBefore) late.push(accepted);
    accepted++;
    if (ts < oldest) oldest = ts;
    if (ts > newest) newest = ts;
    if (moves && ts > clock) clock = ts;
    if (clock > 0) ahead = clock + source.maxAhead;
  }
  return {
    accepted,
    kept: kept?.subarray(0, accepted) ?? null,
    late,
    rejected: mergeRejections(batch.rejected, rejected),
    clock,
    oldest,
    newest,
  };
}

export function movesClock({ mode, sources }: Registry['clock'], source: string): boolean {
  return mode === 'event' && (sources === null || sources.includes(source));
}

function mergeRejections(edge: Rejection[], here: Rejection[]): Rejection[] {
  if (here.length === 0) return edge;
  return [...edge, ...here].sort((a, b) => a.index - b.index);
}

function tooFarAhead(ts: Micros, clock: Micros, { timestamp, maxAhead }: Source): string {
  return (
    `${timestamp} ${formatTime(ts)} lies more than max_ahead (${maxAhead / 1e6} s) after the engine's clock, ` +
    `${formatTime(clock)}; correct it, or send the events before it first`
  );
}
