import type { ErrorBody } from '../errors.ts';
import type { RowWriter } from '../values/json.ts';
import type { Row } from '../values/row.ts';
import type { Collector, RowState } from './query.ts';

/** What every collector of a reply tells when all is collected. */
export interface ReplyCollector extends Collector {
  /** The JSON array of the rows in the order asked; rows that nobody gave are left out. */
  rows(): string | Promise<Buffer>;
  /** Why the last entity that failed did. */
  readonly failure: ErrorBody | null;
  /** How the last row was had. */
  readonly state: RowState;
}

export function errorRow(entityId: string, error: ErrorBody): string {
  return `{"entity_id":${JSON.stringify(entityId)},"error":${JSON.stringify(error)}}`;
}

/** Makes each row's text as it comes. */
export class TextCollector implements ReplyCollector {
  failure: ErrorBody | null = null;
  state: RowState = 'computed';
  readonly #entityIds: readonly string[];
  readonly #writer: RowWriter;
  readonly #kept: ((row: Row) => string | null) | null;
  readonly #texts: (string | undefined)[];

  /** @param kept the text of a whole row as a hit gives it, where one is kept; null where only some features are asked for */
  constructor(entityIds: readonly string[], writer: RowWriter, kept: ((row: Row) => string | null) | null) {
    this.#entityIds = entityIds;
    this.#writer = writer;
    this.#kept = kept;
    this.#texts = new Array(entityIds.length);
  }

  row(index: number, row: Row, state: RowState): void {
    this.state = state;
    const kept = state === 'cached' && this.#kept !== null ? this.#kept(row) : null;
    this.#texts[index] = kept ?? this.#writer.rowText(row.entityId, row, state);
  }

  failed(index: number, error: ErrorBody): void {
    this.failure = error;
    this.#texts[index] = errorRow(this.#entityIds[index]!, error);
  }

  rows(): string {
    return `[${this.#texts.filter((text) => text !== undefined).join()}]`;
  }
}
