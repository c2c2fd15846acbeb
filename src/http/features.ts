/** POST /features and POST /features/batch. */
import { HeadraceError } from '../errors.ts';
import type { View } from '../registry/view.ts';
import { BatchAnswer, BatchBody, FeaturesAnswer, FeaturesBody } from '../wire/bodies.ts';
import { limitIds, refuseUnsupported, UNSUPPORTED_BY_GET } from '../wire/checks.ts';
import { compileCheck } from '../wire/validate.ts';
import { parseJson } from './body.ts';
import type { HttpContext } from './context.ts';
import { sendParts, sendProblem, sendText } from './reply.ts';
import type { Route } from './route.ts';

const CACHE_HEADER = { cached: { 'x-cache': 'hit' }, computed: { 'x-cache': 'miss' }, stale: { 'x-cache': 'stale' } };

const ERRORS = [
  'malformed_json',
  'bad_request',
  'unknown_view',
  'unknown_version',
  'unknown_feature',
  'too_large',
  'too_many',
  'unsupported_media_type',
  'invalid_time',
  'as_of_out_of_history',
  'unknown_position',
  'unsupported',
  'overloaded',
  'unavailable',
  'store_unavailable',
] as const;

const viewTexts = new WeakMap<View, string>();

/** The beginning of an answer, made once a view. */
function viewText(view: View): string {
  let text = viewTexts.get(view);
  if (text === undefined) {
    text = `{"view":${JSON.stringify(view.name)},"version":${JSON.stringify(view.version)},`;
    viewTexts.set(view, text);
  }
  return text;
}

export function featureRoutes(context: HttpContext): Route[] {
  return [one(context), batch(context)];
}

function one(context: HttpContext): Route {
  const { service, metrics, timers } = context;
  const check = compileCheck(FeaturesBody, 'the body');
  const name = 'features';
  return {
    method: 'POST',
    path: '/features',
    summary: 'The feature values of one entity',
    body: { description: 'Whose values, and which', content: { 'application/json': FeaturesBody } },
    responses: {
      200: {
        description: 'The values',
        headers: { 'x-cache': 'hit, miss or stale' },
        content: { 'application/json': FeaturesAnswer },
      },
    },
    errors: [...ERRORS, 'invalid_entity_id'],
    handle: (request, reply) => {
      const started = timers.monotonicMs();
      const body = check(parseJson(request.body));
      refuseUnsupported(body, UNSUPPORTED_BY_GET);
      const query = service.features.resolve({ ...body, entity_ids: [body.entity_id] });
      const hot = service.features.hot(query);
      if (hot !== null) {
        sendText(reply, viewText(query.view) + hot.slice(1), CACHE_HEADER.cached);
        metrics.answered('cached', timers.monotonicMs() - started);
        metrics.handled('http', name, 'ok');
        return;
      }
      service.features.answer(query, (error, answer) => {
        const failed = answer?.failed ?? null;
        if (error !== null || answer === null || failed !== null) {
          sendProblem(context, name, request, reply, error ?? fromBody(failed));
          return;
        }
        // The only row of the array, without its opening brace.
        sendText(reply, viewText(query.view) + answer.rows.toString().slice(2, -1), CACHE_HEADER[answer.state]);
        metrics.answered(answer.state === 'computed' ? 'computed' : 'cached', timers.monotonicMs() - started);
        metrics.handled('http', name, 'ok');
      });
    },
  };
}

function fromBody(failed: import('../errors.ts').ErrorBody | null): HeadraceError {
  if (failed === null) return new HeadraceError('internal', 'the server has no answer to this request');
  return new HeadraceError(failed.code, failed.message, {
    ...(failed.retry_after_ms === undefined ? {} : { retryAfterMs: failed.retry_after_ms }),
    ...(failed.data === undefined ? {} : { data: failed.data }),
  });
}

function batch(context: HttpContext): Route {
  const { service, config, metrics, timers } = context;
  const check = compileCheck(BatchBody, 'the body');
  const name = 'features/batch';
  return {
    method: 'POST',
    path: '/features/batch',
    summary: 'The feature values of many entities',
    body: { description: 'Whose values, and which', content: { 'application/json': BatchBody } },
    responses: {
      200: {
        description: 'One row an entity, in the order asked; a row may hold an error instead of values',
        content: { 'application/json': BatchAnswer },
      },
    },
    errors: [...ERRORS],
    handle: (request, reply) => {
      const started = timers.monotonicMs();
      const body = check(parseJson(request.body));
      refuseUnsupported(body, UNSUPPORTED_BY_GET);
      limitIds(body.entity_ids, config);
      const query = service.features.resolve(body);
      service.features.answer(query, (error, answer) => {
        if (error !== null || answer === null) {
          sendProblem(context, name, request, reply, error);
          return;
        }
        sendParts(reply, `${viewText(query.view)}"rows":`, answer.rows, '}');
        metrics.answered('batch', timers.monotonicMs() - started);
        metrics.handled('http', name, 'ok');
      });
    },
  };
}
