/** What passes between the store's client and the log behind it, in a thread or in this one. */
import type { ErrorBody } from '../errors.ts';
import type { Source } from '../registry/view.ts';
import type { Batch, CommitGroup } from './log-row.ts';
import type { LogState, NewRegistry } from './store.ts';

export type LogRequest =
  | { type: 'append'; batch: Batch; bytes: number }
  | { type: 'clock_at'; id: number; position: number }
  | { type: 'last_batch'; id: number; source: string; producer: string }
  | { type: 'append_alerts'; id: number; bodies: string[] }
  | { type: 'define'; id: number; registry: NewRegistry }
  | { type: 'use'; sources: Source[] }
  | { type: 'close'; id: number };

export type LogReply =
  | { type: 'opened'; state: LogState }
  | { type: 'refused'; error: ErrorBody }
  | { type: 'committed'; group: CommitGroup }
  | { type: 'returned'; id: number; value: unknown }
  | { type: 'raised'; id: number; error: ErrorBody }
  | { type: 'warning'; error: ErrorBody };

/** The buffers of a batch, each once, and their bytes together. */
export function batchBuffers(batch: Batch): { buffers: ArrayBuffer[]; bytes: number } {
  const buffers = new Set<ArrayBuffer>([batch.timestamps.buffer]);
  if (batch.index !== null) buffers.add(batch.index.buffer);
  let bytes = 0;
  for (const column of [...batch.keys, ...batch.fields]) {
    if (column instanceof Float64Array) {
      buffers.add(column.buffer);
      continue;
    }
    buffers.add(column.codes.buffer);
    for (const text of column.fresh) bytes += 2 * text.length;
  }
  for (const { byteLength } of buffers) bytes += byteLength;
  return { buffers: [...buffers], bytes };
}

/** The buffers of a group that the receiver may have. */
export function groupBuffers(group: CommitGroup): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const { added } of group.commits) {
    if (added === null) continue;
    buffers.push(added.columns);
    for (const { codes } of added.touched) buffers.push(codes.buffer);
  }
  return buffers;
}
