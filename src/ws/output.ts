/**
 * What waits to be written to one socket: replies first, then updates, all of a turn in one write.
 *
 * Frames go to the raw socket: `ws` writes its own (ping, pong, close) whole and in one go too, so the two never mix
 * within a frame. A write of concatenated frames costs a tenth of as many writes.
 */
import type { Duplex } from 'node:stream';
import { headerBytes, writeHeader, writeText } from './frame.ts';

/** Frames up to this many bytes together are copied into one buffer; larger ones go to the socket as they are. */
const CONCAT_BYTES_MAX = 64 * 1024;

export class Output {
  readonly #socket: Duplex;
  /** Texts of messages, or complete frames of large ones in pieces. */
  #replies: (string | Buffer)[] = [];
  #updates: Buffer[] = [];
  #replyBytes = 0;
  #updateBytes = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Bytes of replies, updates and the socket's own buffer together. */
  get bufferedBytes(): number {
    return this.#replyBytes + this.#updateBytes + this.#socket.writableLength;
  }

  reply(text: string): void {
    this.#replies.push(text);
    this.#replyBytes += text.length;
  }

  /** A message whose middle was made elsewhere; its bytes are not copied. */
  replyParts(head: string, middle: Buffer, tail: string): void {
    const headSize = Buffer.byteLength(head);
    const tailSize = Buffer.byteLength(tail);
    const payload = headSize + middle.length + tailSize;
    const start = Buffer.allocUnsafe(headerBytes(payload) + headSize);
    start.write(head, writeHeader(start, 0, payload), headSize, 'utf8');
    this.#replies.push(start, middle, Buffer.from(tail));
    this.#replyBytes += start.length + middle.length + tailSize;
  }

  update(frame: Buffer): void {
    this.#updates.push(frame);
    this.#updateBytes += frame.length;
  }

  /** Forget what was not written. */
  clear(): void {
    this.#replies = [];
    this.#updates = [];
    this.#replyBytes = 0;
    this.#updateBytes = 0;
  }

  flush(): void {
    const replies = this.#replies;
    const updates = this.#updates;
    if (replies.length === 0 && updates.length === 0) return;
    this.clear();
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    const pieces = updates.length + replies.length;
    if (pieces > 1) socket.cork();
    writeReplies(socket, replies);
    writeUpdates(socket, updates);
    if (pieces > 1) socket.uncork();
  }
}

function writeReplies(socket: Duplex, replies: (string | Buffer)[]): void {
  let from = 0;
  while (from < replies.length) {
    const item = replies[from] as string | Buffer;
    if (typeof item !== 'string') {
      socket.write(item);
      from++;
      continue;
    }
    const sizes: number[] = [];
    let total = 0;
    let to = from;
    for (; to < replies.length; to++) {
      const text = replies[to] as string | Buffer;
      if (typeof text !== 'string' || (total > CONCAT_BYTES_MAX && to > from)) break;
      const bytes = Buffer.byteLength(text);
      sizes.push(bytes);
      total += headerBytes(bytes) + bytes;
    }
    const frames = Buffer.allocUnsafe(total);
    let offset = 0;
    for (let i = from; i < to; i++) {
      offset = writeText(frames, offset, replies[i] as string, sizes[i - from] as number);
    }
    socket.write(frames);
    from = to;
  }
}

function writeUpdates(socket: Duplex, updates: Buffer[]): void {
  let from = 0;
  while (from < updates.length) {
    let total = (updates[from] as Buffer).length;
    let to = from + 1;
    for (; to < updates.length; to++) {
      const next = total + (updates[to] as Buffer).length;
      if (next > CONCAT_BYTES_MAX) break;
      total = next;
    }
    socket.write(to === from + 1 ? updates[from] : Buffer.concat(updates.slice(from, to), total));
    from = to;
  }
}
