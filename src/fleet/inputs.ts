import type { Micros } from '../clock.ts';
import type { View } from '../registry/view.ts';
import { type Column, encodeColumns } from '../wire/columns.ts';
import type { Job } from './job.ts';

/** What requests bring, as a worker reads it; see `GroupHeader.request`. */
export function encodeInputs({ plan }: View, now: Micros, jobs: readonly Job[]): Uint8Array<ArrayBuffer> {
  const columns: Column[] = [{ dtype: 'i8', values: new Float64Array(jobs.length).fill(now) }];
  for (const [at, { type }] of plan.request!.inputs.entries()) {
    const values = jobs.map(({ request }) => request!.inputs[at]!);
    if (type === 'category') {
      columns.push({ dtype: 'str', values: values as (string | null)[] });
      columns.push({ dtype: 'u1', values: Uint8Array.from(values, (value) => (value === null ? 0 : 1)) });
    } else {
      columns.push({
        dtype: 'f8',
        values: Float64Array.from(values, (value) => (value as number | null) ?? Number.NaN),
      });
    }
  }
  return encodeColumns(columns);
}
