import type { ErrorBody } from '../errors.ts';
import type { Row } from '../values/row.ts';
import type { RequestPart, RowState } from './query.ts';
import { requestFeaturesOf } from './request-features.ts';
import type { ReplyCollector } from './text-collector.ts';

/** Adds the features of a request to each row on its way into a reply. */
export class RequestCollector implements ReplyCollector {
  readonly #inner: ReplyCollector;
  readonly #part: RequestPart;

  constructor(inner: ReplyCollector, part: RequestPart) {
    this.#inner = inner;
    this.#part = part;
  }

  get failure(): ErrorBody | null {
    return this.#inner.failure;
  }

  get state(): RowState {
    return this.#inner.state;
  }

  row(index: number, row: Row, state: RowState): void {
    this.#inner.row(index, requestFeaturesOf(row.view).extend(row, this.#part), state);
  }

  failed(index: number, error: ErrorBody): void {
    this.#inner.failed(index, error);
  }

  rows(): string | Promise<Buffer> {
    return this.#inner.rows();
  }
}
