import type { Clock, Micros } from '../clock.ts';
import { HeadraceError } from '../errors.ts';
import type { Logger } from '../fleet/logger.ts';
import { resolveFeatures, resolveService, resolveView } from '../registry/resolve.ts';
import type { Registry, View } from '../registry/view.ts';
import { asHeadraceError } from '../wire/checks.ts';
import type { Answer, FeatureService, FeaturesRequest, Reply } from '../wire/service.ts';
import { parseTime } from '../wire/time.ts';
import { Deprecations } from './deprecations.ts';
import type { Query, RequestPart } from './query.ts';
import type { Replies } from './replies.ts';
import { requestFeaturesOf } from './request-features.ts';
import { readInputs } from './request-inputs.ts';
import type { Serve } from './serve.ts';

export interface FeatureServiceOptions {
  /** The one that serves now. */
  registry: () => Registry;
  clock: Clock;
  wallMicros: () => Micros;
  logger: Logger;
  serve: Serve;
  replies: Replies;
  /** Deadline of a request that names none, in milliseconds. */
  timeoutMs: number;
}

/** Requests for features as the edges put them: names to a {@link Query}, rows to text. */
export function featureService(options: FeatureServiceOptions): FeatureService {
  const { registry, clock, serve, replies, timeoutMs } = options;
  const deprecations = new Deprecations(options.wallMicros, options.logger);
  const viewOf = ({ view, version }: FeaturesRequest): View => {
    const now = registry();
    return resolveView(now, deprecations.today(now), view, version);
  };
  return {
    resolve(request: FeaturesRequest): Query {
      const { service, features, request: inputs } = request;
      const view = service === undefined ? viewOf(request) : resolveService(registry(), only(service, request)).view;
      const selection = resolveFeatures(view, features);
      const asOf = request.as_of === undefined ? null : parseTime(request.as_of);
      const position = request.position ?? null;
      return {
        view,
        select: selection.select,
        entityIds: request.entity_ids,
        timeoutMs: request.timeout_ms ?? timeoutMs,
        asOf,
        position,
        minPosition: request.min_position ?? 0,
        request:
          view.request.length === 0 && inputs === undefined
            ? undefined
            : requestPart(view, selection.request, inputs, asOf === null && position === null ? clock : null),
        service,
        deprecated: view.deprecated === null ? undefined : deprecations.asked(view),
      };
    },

    hot({ view, select, entityIds, asOf, position, minPosition, request }: Query): string | null {
      const now = asOf === null && position === null && minPosition === 0;
      const whole = now && select === null && request === undefined;
      return whole && entityIds.length === 1 ? serve.hotText(view, entityIds[0]!) : null;
    },

    answer(query: Query, done: Reply<Answer>): void {
      const collector = replies.collector(query.view, query.select, query.entityIds, query.request);
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

/** @throws HeadraceError `bad_request` where a request names a service and what that names itself */
function only(service: string, { view, version, features }: FeaturesRequest): string {
  if (view === undefined && version === undefined && features === undefined) return service;
  throw new HeadraceError(
    'bad_request',
    'a service names its view, version and features itself; leave these out, or leave out service',
  );
}

/**
 * @param wanted features of the request; null: all
 * @param clock null where the request names the moment that is its time
 */
function requestPart(
  view: View,
  wanted: number[] | null,
  given: Record<string, unknown> | undefined,
  clock: Clock | null,
): RequestPart | undefined {
  const inputs = readInputs(view, given);
  const features = wanted ?? [...view.request.keys()];
  if (features.length === 0) return undefined;
  const askedAt = clock === null ? Number.NEGATIVE_INFINITY : clock.now();
  return { features, inputs, askedAt, ...requestFeaturesOf(view).needs(features) };
}

const inThread = (error: unknown): HeadraceError =>
  new HeadraceError('internal', 'The thread that makes large replies failed; ask again.', { cause: error });
