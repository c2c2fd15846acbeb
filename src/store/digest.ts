/** What makes two batches the same: source and parsed events by value, never their codes, ids or framing. */
import { createHash } from 'node:crypto';
import type { Coding } from './coding.ts';
import type { Batch } from './log-row.ts';

/**
 * @param codings the batch's coded columns, keys before fields
 * @returns SHA-256
 */
export function digestOf(batch: Batch, codings: Coding[]): Uint8Array {
  const hash = createHash('sha256');
  const rejected = batch.rejected.map(({ index, code }) => [index, code]);
  hash.update(JSON.stringify([batch.source, batch.n, rejected]));
  hash.update(bytesOf(batch.timestamps));
  for (const field of batch.fields) if (field instanceof Float64Array) hash.update(bytesOf(field));
  for (const coding of codings) {
    const { indexes, texts } = coding.canonical();
    hash.update(bytesOf(indexes));
    hash.update(JSON.stringify(texts));
  }
  return hash.digest();
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength);
