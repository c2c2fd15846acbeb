import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

const EDGE_BYTES = 1024 * 1024;

/**
 * Sixteen hexadecimal digits that tell a file by its content: of the SHA-256 of its size and its first and last MiB, and
 * of how it is cut into batches. A file that grew, or is read with another window, is another one; its name and its
 * date do not matter.
 *
 * @param cut what decides which rows a batch holds, such as the window and the rows of a batch
 */
export async function fileIdentity(path: string, cut: readonly unknown[]): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const hash = createHash('sha256').update(JSON.stringify([size, ...cut]));
    for (const from of new Set([0, Math.max(0, size - EDGE_BYTES)])) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(EDGE_BYTES, size)), { position: from });
      hash.update(buffer.subarray(0, bytesRead));
    }
    return hash.digest('hex').slice(0, 16);
  } finally {
    await file.close();
  }
}
