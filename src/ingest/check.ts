import type { Micros } from '../clock.ts';
import type { Source } from '../registry/view.ts';
import type { Batch, BatchKey } from '../store/log-row.ts';
import { type Codes, coded } from './coding.ts';
import type { EventColumns } from './event-columns.ts';
import type { Rejections } from './rejections.ts';
import { categories, entityIds } from './texts.ts';

/**
 * Checks the events of one request against their source, column by column, and gives those without a problem as a
 * batch for the log. An event is rejected for the first problem in the order key, time, fields.
 */
export function checkedBatch(
  source: Source,
  columns: EventColumns,
  rejections: Rejections,
  codes: Codes,
  entityIdBytesMax: number,
  origin: { id: number; key: BatchKey | null; wall: Micros },
): Batch {
  const { n } = columns;
  const ids = source.keys.map((key) => entityIds(key, columns, entityIdBytesMax, rejections));
  const times = columns.times(source.timestamp, rejections);
  const fields = source.fields.map((field) =>
    field.type === 'category'
      ? categories(field, columns, entityIdBytesMax, rejections)
      : columns.numbers(field, rejections),
  );

  const kept = rejections.kept(n);
  return {
    ...origin,
    source: source.name,
    n: kept === null ? n : kept.length,
    index: kept,
    timestamps: gathered(times, kept),
    keys: ids.map((texts, i) => coded(texts, n, kept, `@${source.keys[i]!.entity}`, codes)),
    fields: fields.map((field, i) =>
      field instanceof Float64Array
        ? gathered(field, kept)
        : coded(field, n, kept, `${source.name}.${source.fields[i]!.name}`, codes),
    ),
    rejected: rejections.list(),
  };
}

function gathered(values: Float64Array<ArrayBuffer>, kept: Int32Array | null): Float64Array<ArrayBuffer> {
  if (kept === null) return values;
  const out = new Float64Array(kept.length);
  for (let i = 0; i < kept.length; i++) out[i] = values[kept[i]!]!;
  return out;
}
