/** POST /registry/reload. */
import { ReloadAnswer, ReloadBody } from '../wire/bodies.ts';
import { compileCheck } from '../wire/validate.ts';
import { parseJson } from './body.ts';
import type { HttpContext } from './context.ts';
import { sendJson, sendProblem } from './reply.ts';
import type { Route } from './route.ts';

export function registryRoutes(context: HttpContext): Route[] {
  const { service, metrics } = context;
  const check = compileCheck(ReloadBody, 'the body');
  const name = 'registry/reload';
  return [
    {
      method: 'POST',
      path: '/registry/reload',
      summary: 'Reads the registry again and lets it take over; where it is wrong, the one before serves on',
      body: { description: 'May be left out', content: { 'application/json': ReloadBody } },
      responses: { 200: { description: 'What it changed', content: { 'application/json': ReloadAnswer } } },
      errors: ['malformed_json', 'unsupported_media_type', 'invalid_registry', 'store_unavailable'],
      handle: (request, reply) => {
        const { force = false } = check(isEmpty(request.body) ? {} : parseJson(request.body));
        service.registry.reload(force, (error, answer) => {
          if (error !== null) {
            sendProblem(context, name, request, reply, error);
            return;
          }
          metrics.handled('http', name, 'ok');
          sendJson(reply, answer as ReloadAnswer);
        });
      },
    },
  ];
}

const isEmpty = (body: unknown): boolean =>
  body === undefined || body === null || (body instanceof Buffer && body.length === 0);
