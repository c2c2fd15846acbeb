import { HeadraceError } from '../errors.ts';
import { resolveFeatures, resolveView } from '../registry/resolve.ts';
import type { Registry } from '../registry/view.ts';
import { asHeadraceError } from '../wire/checks.ts';
import type { Answer, FeatureService, FeaturesRequest, Reply } from '../wire/service.ts';
import { parseTime } from '../wire/time.ts';
import type { Query } from './query.ts';
import type { Replies } from './replies.ts';
import type { Serve } from './serve.ts';

export interface FeatureServiceOptions {
  /** The one that serves now. */
  registry: () => Registry;
  serve: Serve;
  replies: Replies;
  /** Deadline of a request that names none, in milliseconds. */
  timeoutMs: number;
}

/** Requests for features as the edges put them: names to a {@link Query}, rows to text. */
export function featureService({ registry, serve, replies, timeoutMs }: FeatureServiceOptions): FeatureService {
  return {
    resolve(request: FeaturesRequest): Query {
      const view = resolveView(registry(), new Date().toISOString().slice(0, 10), request.view, request.version);
      return {
        view,
        select: resolveFeatures(view, request.features).select,
        entityIds: request.entity_ids,
        timeoutMs: request.timeout_ms ?? timeoutMs,
        asOf: request.as_of === undefined ? null : parseTime(request.as_of),
        position: request.position ?? null,
        minPosition: request.min_position ?? 0,
      };
    },

    hot({ view, select, entityIds, asOf, position, minPosition }: Query): string | null {
      const whole = select === null && asOf === null && position === null && minPosition === 0;
      return whole && entityIds.length === 1 ? serve.hotText(view, entityIds[0]!) : null;
    },

    answer(query: Query, done: Reply<Answer>): void {
      const collector = replies.collector(query.view, query.select, query.entityIds);
      const finish = (rows: string | Buffer) => {
        const failed = query.entityIds.length === 1 ? collector.failure : null;
        done(null, { rows, state: collector.state, failed });
      };
      try {
        serve.get(query, collector, () => {
          const rows = collector.rows();
          if (typeof rows === 'string') return finish(rows);
          rows.then(finish, (error: unknown) => done(inThread(error), null));
        });
      } catch (error) {
        done(asHeadraceError(error), null);
      }
    },
  };
}

const inThread = (error: unknown): HeadraceError =>
  new HeadraceError('internal', 'The thread that makes large replies failed; ask again.', { cause: error });
