/** Checks that both edges make after a request's shape is known, and before anything is looked up. */
import type { Config } from '../config.ts';
import { HeadraceError } from '../errors.ts';
import type { BatchKey } from '../store/log-row.ts';

/** Fields that this server knows and does not offer. */
export function refuseUnsupported(request: object, fields: readonly string[]): void {
  for (const field of fields) {
    if ((request as Record<string, unknown>)[field] !== undefined) {
      throw new HeadraceError('unsupported', `${field} is not offered by this server; leave it out`, {
        data: { field },
      });
    }
  }
}

export function limitIds(ids: readonly unknown[], config: Pick<Config, 'entity_ids_max'>): void {
  limit(ids.length, config.entity_ids_max, 'entity ids');
}

export function limitEvents(n: number, config: Pick<Config, 'events_max'>): void {
  limit(n, config.events_max, 'events');
}

function limit(n: number, max: number, what: string): void {
  if (n <= max) return;
  throw new HeadraceError('too_many', `the message holds ${n} ${what}; at most ${max} are taken, so send several`, {
    data: { max },
  });
}

/** `producer` and `batch` come together; `chunk` only with them. */
export function batchKey(message: { producer?: string; batch?: string | number; chunk?: number }): BatchKey | null {
  const { producer, batch, chunk } = message;
  if (producer !== undefined && batch !== undefined) return { producer, batch, chunk: chunk ?? 0 };
  if (producer === undefined && batch === undefined && chunk === undefined) return null;
  throw new HeadraceError('bad_request', 'producer and batch must be given together, and chunk only with them');
}

/** Events by column: all columns of one length. @returns the number of events */
export function columnsLength(columns: Record<string, unknown[]>): number {
  const entries = Object.entries(columns);
  const [first] = entries;
  if (first === undefined) throw new HeadraceError('bad_request', 'columns holds no column; give those of the source');
  const n = first[1].length;
  for (const [name, values] of entries) {
    if (values.length !== n) {
      throw new HeadraceError(
        'bad_request',
        `columns.${name} has ${values.length} values and columns.${first[0]} has ${n}; all must be of one length`,
      );
    }
  }
  return n;
}

/** Any failure as the error that a client may see; a bug does not show its insides. */
export function asHeadraceError(error: unknown): HeadraceError {
  if (error instanceof HeadraceError) return error;
  return new HeadraceError('internal', 'the server failed on this request; its log says why', { cause: error });
}
