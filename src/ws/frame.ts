/** WebSocket text frames as the server sends them: whole, unmasked, uncompressed (RFC 6455, 5.2). */

/** FIN and the opcode of text. */
const TEXT = 0x81;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

export function headerBytes(payloadBytes: number): number {
  return payloadBytes < LENGTH_16 ? 2 : payloadBytes < 65_536 ? 4 : 10;
}

/** @returns the offset after the header */
export function writeHeader(target: Buffer, offset: number, payloadBytes: number): number {
  target[offset] = TEXT;
  if (payloadBytes < LENGTH_16) {
    target[offset + 1] = payloadBytes;
    return offset + 2;
  }
  if (payloadBytes < 65_536) {
    target[offset + 1] = LENGTH_16;
    target.writeUInt16BE(payloadBytes, offset + 2);
    return offset + 4;
  }
  target[offset + 1] = LENGTH_64;
  target.writeUInt32BE(Math.floor(payloadBytes / 2 ** 32), offset + 2);
  target.writeUInt32BE(payloadBytes >>> 0, offset + 6);
  return offset + 10;
}

/** @param bytes UTF-8 length of `text`. @returns the offset after the frame */
export function writeText(target: Buffer, offset: number, text: string, bytes: number): number {
  const start = writeHeader(target, offset, bytes);
  // One byte a character: the copy need not look at each.
  target.write(text, start, bytes, bytes === text.length ? 'latin1' : 'utf8');
  return start + bytes;
}

/** One frame of its own. */
export function textFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerBytes(bytes) + bytes);
  writeText(frame, 0, text, bytes);
  return frame;
}
