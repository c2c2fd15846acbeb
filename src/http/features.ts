/** POST /features and POST /features/batch. */
import { HeadraceError } from '../errors.ts';
import type { Query, RowState } from '../serve/query.ts';
import { answerHead } from '../wire/answer-head.ts';
import { BatchAnswer, BatchBody, FeaturesAnswer, FeaturesBody } from '../wire/bodies.ts';
import { limitIds } from '../wire/checks.ts';
import { compileCheck } from '../wire/validate.ts';
import { parseJson } from './body.ts';
import type { HttpContext } from './context.ts';
import { sendParts, sendProblem, sendText } from './reply.ts';
import type { Route } from './route.ts';

const CACHE_HEADER = { cached: { 'x-cache': 'hit' }, computed: { 'x-cache': 'miss' }, stale: { 'x-cache': 'stale' } };

const DEPRECATION = 'Where the version is deprecated, since when, as @ and epoch seconds (RFC 9745)';

const ERRORS = [
  'malformed_json',
  'bad_request',
  'unknown_view',
  'unknown_version',
  'unknown_feature',
  'unknown_service',
  'unknown_input',
  'too_large',
  'too_many',
  'unsupported_media_type',
  'invalid_time',
  'invalid_input',
  'as_of_out_of_history',
  'unknown_position',
  'unsupported',
  'overloaded',
  'unavailable',
  'store_unavailable',
] as const;

/** Of an answer: how the row was had, and from when on the version is deprecated (RFC 9745). */
function headersOf({ deprecated }: Query, state: RowState | null): Record<string, string> {
  const headers: Record<string, string> = state === null ? {} : CACHE_HEADER[state];
  if (deprecated === undefined) return headers;
  return { ...headers, deprecation: `@${Date.parse(deprecated) / 1000}` };
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
        headers: { 'x-cache': 'hit, miss or stale', deprecation: DEPRECATION },
        content: { 'application/json': FeaturesAnswer },
      },
    },
    errors: [...ERRORS, 'invalid_entity_id'],
    handle: (request, reply) => {
      const started = timers.monotonicMs();
      const body = check(parseJson(request.body));
      const query = service.features.resolve({ ...body, entity_ids: [body.entity_id] });
      const hot = service.features.hot(query);
      if (hot !== null) {
        sendText(reply, answerHead(query).opening + hot.slice(1), headersOf(query, 'cached'));
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
        const row = answer.rows.toString().slice(2, -1);
        sendText(reply, answerHead(query).opening + row, headersOf(query, answer.state));
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
        headers: { deprecation: DEPRECATION },
        content: { 'application/json': BatchAnswer },
      },
    },
    errors: [...ERRORS],
    handle: (request, reply) => {
      const started = timers.monotonicMs();
      const body = check(parseJson(request.body));
      limitIds(body.entity_ids, config);
      const query = service.features.resolve(body);
      service.features.answer(query, (error, answer) => {
        if (error !== null || answer === null) {
          sendProblem(context, name, request, reply, error);
          return;
        }
        sendParts(reply, `${answerHead(query).opening}"rows":`, answer.rows, '}', headersOf(query, null));
        metrics.answered('batch', timers.monotonicMs() - started);
        metrics.handled('http', name, 'ok');
      });
    },
  };
}
