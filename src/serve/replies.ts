import type { Piscina } from 'piscina';
import type { View } from '../registry/view.ts';
import type { RowWriters } from '../values/json.ts';
import type { Row } from '../values/row.ts';
import { BlockCollector } from './block-collector.ts';
import type { RequestPart } from './query.ts';
import type { ReplyColumns } from './reply-columns.ts';
import { RequestCollector } from './request-collector.ts';
import { type ReplyCollector, TextCollector } from './text-collector.ts';

const THREAD = new URL(import.meta.url.endsWith('.ts') ? './reply-thread.ts' : './reply-thread.js', import.meta.url)
  .href;

export interface RepliesOptions {
  pool: Pick<Piscina, 'run'>;
  writers: RowWriters;
  /** The text of a whole row as a hit gives it, where one is kept. */
  kept: (row: Row) => string | null;
  /** Replies that are likely to be longer are made in a thread. */
  largeReplyBytes: number;
}

/** Chooses where the text of a reply is made: here as its rows come, or in a thread where it will be large. */
export class Replies {
  readonly #options: RepliesOptions;

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  /** @param select as in a query, as is `request` */
  collector(view: View, select: number[] | null, entityIds: readonly string[], request?: RequestPart): ReplyCollector {
    const { writers, kept, largeReplyBytes } = this.#options;
    const writer = writers.of(view, select, request?.features);
    const whole = select === null && request === undefined;
    const collector =
      entityIds.length * writer.estimateBytes <= largeReplyBytes
        ? new TextCollector(entityIds, writer, whole ? kept : null)
        : new BlockCollector(entityIds, writer.spec, (columns) => this.#inThread(columns));
    return request === undefined || request.fleet ? collector : new RequestCollector(collector, request);
  }

  async #inThread(columns: ReplyColumns): Promise<Buffer> {
    // An object, because Piscina's types confuse the list with the options of postMessage.
    const transferList: object = [columns.ends.buffer, columns.kinds.buffer, columns.numbers.buffer];
    const bytes = (await this.#options.pool.run(columns, { filename: THREAD, transferList })) as Uint8Array;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}
