/**
 * Columns as bytes: the one layout of event batches in the log, in frames to the workers and in the workers' answers.
 *
 * A block of columns is the columns one after the other, each starting at a multiple of 8 bytes from the start of the
 * block (gaps are zero), all little-endian:
 *
 * | dtype | bytes                                            | null is                |
 * |-------|--------------------------------------------------|------------------------|
 * | `f8`  | n × float64                                      | NaN                    |
 * | `i8`  | n × int64                                        | the least int64        |
 * | `i4`  | n × int32                                        | −1 (dictionary codes)  |
 * | `u4`  | n × uint32                                       | –                      |
 * | `u1`  | n × uint8                                        | –                      |
 * | `str` | (n + 1) × int32 offsets, padded to 8, then UTF-8 | told by a validity column |
 *
 * The layout is not self-describing: names, dtypes and n stand in a schema or a frame's header, so that the bytes of
 * a log row go to the workers as they are. `python/headrace/columns.py` is the twin; `test/vectors/columns.json` holds
 * both to the same bytes.
 */
export type Dtype = 'f8' | 'i8' | 'i4' | 'u4' | 'u1' | 'str';

/** Width of one value in bytes; `str` has none. */
export const DTYPE_BYTES = { f8: 8, i8: 8, i4: 4, u4: 4, u1: 1 } as const satisfies Record<
  Exclude<Dtype, 'str'>,
  number
>;

/** The null of an `i8` column. */
export const NULL_I8 = -(2n ** 63n);

export interface ColumnSpec {
  name: string;
  dtype: Dtype;
}

export const pad8 = (bytes: number): number => (bytes + 7) & ~7;
