import type { ErrorBody } from '../errors.ts';
import { type RowSpec, RowWriter } from '../values/json.ts';
import { ROW_HEADER } from '../values/row.ts';
import type { RowState } from './query.ts';
import { errorRow } from './text-collector.ts';

/** What stands at one index of a reply; the numbers are those of `ReplyColumns.kinds`. */
export const KINDS = ['absent', 'failed', 'cached', 'computed', 'stale'] as const satisfies (
  | RowState
  | 'absent'
  | 'failed'
)[];

/** The rows of a large reply as plain data, for a thread that makes their text. */
export interface ReplyColumns {
  /** The selected features; their places are those within `numbers` and `strings`. */
  spec: RowSpec;
  /** All entity ids one after the other, and where each one ends. */
  ids: string;
  ends: Int32Array<ArrayBuffer>;
  /** Indexes into {@link KINDS}. */
  kinds: Uint8Array<ArrayBuffer>;
  /** n × (row header, selected features and, where the spec has it, the request's time). */
  numbers: Float64Array<ArrayBuffer>;
  /** As in `numbers`, without the header; null where no output is text. */
  strings: (string | null)[] | null;
  errors: Map<number, ErrorBody>;
}

/** The JSON array of the rows. */
export function replyText({ spec, ids, ends, kinds, numbers, strings, errors }: ReplyColumns): string {
  const writer = new RowWriter(spec);
  const width = spec.places.length + (spec.requestTime === null ? 0 : 1);
  const texts: string[] = [];
  for (let i = 0; i < kinds.length; i++) {
    const kind = KINDS[kinds[i]!]!;
    if (kind === 'absent') continue;
    const entityId = ids.slice(i === 0 ? 0 : ends[i - 1], ends[i]);
    if (kind === 'failed') {
      texts.push(errorRow(entityId, errors.get(i)!));
      continue;
    }
    const own = strings === null ? null : strings.slice(i * width, (i + 1) * width);
    texts.push(writer.rowText(entityId, { slab: numbers, base: i * (ROW_HEADER + width), strings: own }, kind));
  }
  return `[${texts.join()}]`;
}
