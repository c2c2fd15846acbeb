/** What the log does between two looks at its event loop. */
import { type ErrorBody, HeadraceError } from '../errors.ts';
import type { Log } from './log.ts';
import type { Batch } from './log-row.ts';
import { groupBuffers, type LogReply, type LogRequest } from './messages.ts';

export type Reply = (reply: LogReply, transfer: ArrayBuffer[]) => void;

/**
 * One turn: everything that has arrived, in order. This is group commit without a timer: while one transaction runs,
 * the next one's batches gather.
 *
 * @param first the request that began the turn
 * @param receive the next request that has arrived, if any
 * @param commitBytesMax bytes at which a transaction takes nothing more; the turn ends with it, so that upkeep has its
 *   share while batches never cease
 * @returns false once the log is closed
 */
export function takeTurn(
  log: Log,
  first: LogRequest,
  receive: () => LogRequest | undefined,
  commitBytesMax: number,
  reply: Reply,
): boolean {
  let batches: Batch[] = [];
  let bytes = 0;
  const commit = () => {
    if (batches.length === 0) return;
    const group = log.commit(batches);
    batches = [];
    reply({ type: 'committed', group }, groupBuffers(group));
  };
  for (let request: LogRequest | undefined = first; request !== undefined; request = receive()) {
    if (request.type === 'append') {
      batches.push(request.batch);
      bytes += request.bytes;
      if (bytes >= commitBytesMax) break;
      continue;
    }
    commit();
    if (request.type === 'use') {
      log.use(request.sources);
      continue;
    }
    try {
      reply({ type: 'returned', id: request.id, value: call(log, request) }, []);
    } catch (error) {
      reply({ type: 'raised', id: request.id, error: errorBody(error) }, []);
    }
    if (request.type === 'close') return false;
  }
  commit();
  return true;
}

function call(log: Log, request: Exclude<LogRequest, { type: 'append' | 'use' }>): unknown {
  switch (request.type) {
    case 'clock_at':
      return log.clockAt(request.position);
    case 'last_batch':
      return log.lastBatch(request.source, request.producer);
    case 'append_alerts':
      return log.appendAlerts(request.bodies);
    case 'define':
      return log.define(request.registry);
    case 'close':
      return log.close();
  }
}

/**
 * A step of upkeep between turns; a failure is told, and tried again after the next turn.
 *
 * @returns whether there may be more to do
 */
export function takeUpkeep(log: Log, reply: Reply): boolean {
  try {
    return log.merge();
  } catch (error) {
    reply({ type: 'warning', error: errorBody(error) }, []);
    return false;
  }
}

/** Errors lose their class between threads: the table's code carries what matters. */
export function errorBody(error: unknown): ErrorBody {
  if (error instanceof HeadraceError) return error.body();
  return new HeadraceError('store_unavailable', `The log failed: ${(error as Error).message}.`).body();
}
