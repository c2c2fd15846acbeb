import { HeadraceError } from '../errors.ts';
import type { OutputType } from '../registry/view.ts';
import { blockWidth, type ComputedBlock } from '../values/row.ts';
import { ColumnReader } from '../wire/columns.ts';
import type { ValuesHeader } from '../wire/frames.ts';
import type { JobGroup } from './job.ts';

/** What a worker answered to one group of jobs: rows with the lease of each, or why there are none. */
export type GroupAnswer =
  | { sent: JobGroup; block: ComputedBlock; leases: Uint32Array; error: null }
  | { sent: JobGroup; block: null; error: { code: string; message: string } };

/**
 * Takes a values frame apart: one answer for each group that was sent, in that order.
 * @throws HeadraceError `internal` where the frame does not answer what was sent
 */
export function readAnswers(header: ValuesHeader, body: Uint8Array, sent: readonly JobGroup[]): GroupAnswer[] {
  if (header.groups.length !== sent.length) {
    throw new HeadraceError(
      'internal',
      `A worker answered ${header.groups.length} groups where ${sent.length} were sent.`,
    );
  }
  const reader = new ColumnReader(body);
  return sent.map((group, i) => {
    const answered = header.groups[i]!;
    if (answered.hash !== group.view.hash || answered.n !== group.jobs.length) {
      throw new HeadraceError(
        'internal',
        `A worker answered ${answered.n} rows of ${answered.hash} where ${group.jobs.length} of ${group.view.hash} were asked.`,
      );
    }
    if (answered.error !== undefined) return { sent: group, block: null, error: answered.error };
    return { sent: group, ...readBlock(reader, answered.as_of, answered.position, group), error: null };
  });
}

function readBlock(
  reader: ColumnReader,
  asOf: number,
  position: number,
  { view, jobs, ofRequest }: JobGroup,
): { block: ComputedBlock; leases: Uint32Array } {
  const n = jobs.length;
  const features = ofRequest ? [...view.features, ...view.request] : view.features;
  const width = features.length;
  const codes = reader.i4(n);
  if (jobs.some((job, i) => job.code !== codes[i])) {
    throw new HeadraceError('internal', `A worker answered other entities of ${view.name} than were asked.`);
  }
  const leases = reader.u4(n);
  const validUntil = reader.i8(n);
  const eventTime = reader.i8(n);
  const values = new Float64Array(n * width).fill(Number.NaN);
  const strings: ComputedBlock['strings'] = features.some(({ output }) => output === 'string')
    ? new Array(width).fill(null)
    : null;
  for (const [place, { output }] of features.entries()) {
    if (output === 'string') strings![place] = readTexts(reader, n);
    else readNumbers(reader, n, output, values, place, width);
  }
  const entityIds = jobs.map((job) => job.entityId);
  const block: ComputedBlock = { view, asOf, position, n, entityIds, values, strings, validUntil, eventTime };
  if (ofRequest) block.ofRequest = true;
  return { leases, block };
}

/** One feature's column into its place in each row. */
function readNumbers(
  reader: ColumnReader,
  n: number,
  output: Exclude<OutputType, 'string'>,
  values: Float64Array,
  place: number,
  width: number,
): void {
  const column = output === 'float64' ? reader.f8(n) : output === 'bool' ? reader.u1(n) : reader.i8(n);
  const valid = reader.u1(n);
  for (let i = 0, at = place; i < n; i++, at += width) {
    if (valid[i] === 1) values[at] = column[i]!;
  }
}

function readTexts(reader: ColumnReader, n: number): (string | null)[] {
  const texts: (string | null)[] = reader.str(n);
  const valid = reader.u1(n);
  return texts.map((text, i) => (valid[i] === 1 ? text : null));
}

/** The given rows of a block, in that order. */
export function selectRows(block: ComputedBlock, rows: readonly number[]): ComputedBlock {
  const width = blockWidth(block);
  const values = new Float64Array(rows.length * width);
  for (const [to, row] of rows.entries()) values.set(block.values.subarray(row * width, (row + 1) * width), to * width);
  return {
    ...block,
    n: rows.length,
    entityIds: rows.map((row) => block.entityIds[row]!),
    values,
    strings: block.strings?.map((texts) => texts && rows.map((row) => texts[row]!)) ?? null,
    validUntil: Float64Array.from(rows, (row) => block.validUntil[row]!),
    eventTime: Float64Array.from(rows, (row) => block.eventTime[row]!),
  };
}
