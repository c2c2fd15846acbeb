/** The HTTP edge: routes on Fastify, errors as problem documents. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { TimerHandle } from '../clock.ts';
import { ERRORS, type ErrorCode, HeadraceError } from '../errors.ts';
import { IndexAnswer, OpenApiAnswer } from '../wire/bodies.ts';
import { PROBLEM_TYPE, problemText } from '../wire/problem.ts';
import type { HttpContext } from './context.ts';
import { ARROW_TYPE, eventRoutes, NDJSON_TYPE } from './events.ts';
import { featureRoutes } from './features.ts';
import { openApi } from './openapi.ts';
import { registryRoutes } from './registry.ts';
import { sendJson, sendProblem } from './reply.ts';
import type { Route } from './route.ts';
import { statusRoutes } from './status.ts';

/** Longer than the idle timeout of the usual proxies, so that they close first. */
const KEEP_ALIVE_MS = 72_000;

/** How often connections that have become idle are closed while the server drains. */
const CLOSE_IDLE_MS = 50;

/** Still answered while the server drains. */
const ALWAYS = new Set(['/healthz', '/readyz', '/metrics']);

export interface HttpEdge {
  app: FastifyInstance;
  routes: Route[];
  /**
   * @returns the port
   * @throws HeadraceError where the port cannot be had
   */
  listen(): Promise<number>;
  /** Takes no new connection; resolves when those open are done, or cuts them off after `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

/** @param admit why a request may not come in (see host.ts); null: it may */
export function httpEdge(context: HttpContext, admit: (request: IncomingMessage) => HeadraceError | null): HttpEdge {
  const { config, service, timers } = context;
  const app = fastify({
    bodyLimit: config.message_bytes_max,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => sendFastifyError(context, error, request, reply),
    clientErrorHandler: refuseUnreadable,
    // A guard before Fastify rather than a hook in it: a hook costs every request a few per cent.
    serverFactory: (handler) =>
      createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
        const refusal = admit(request) ?? refusalWhileDraining(context, request);
        if (refusal === null) handler(request, response);
        else refuse(context, response, refusal);
      }),
  });
  const routes = [
    ...featureRoutes(context),
    ...eventRoutes(context),
    ...statusRoutes(context),
    ...registryRoutes(context),
  ];
  routes.push(...describing(routes, service.server));
  parseBodies(app);
  for (const { method, path, handle } of routes) {
    app.route({ method, url: path, handler: (request, reply) => void handle(request, reply) });
  }
  app.setErrorHandler<FastifyError>((error, request, reply) => sendFastifyError(context, error, request, reply));
  app.setNotFoundHandler((request, reply) => sendNotFound(context, routes, request, reply));
  return {
    app,
    routes,
    listen: async () => {
      await app.listen({ host: config.host, port: config.port }).catch((error: NodeJS.ErrnoException) => {
        throw cannotListen(config, error);
      });
      return (app.server.address() as AddressInfo).port;
    },
    close: async (timeoutMs) => {
      const cutOff = timers.setTimeout(() => app.server.closeAllConnections(), timeoutMs);
      // Node closes those that are idle now; one that is still being answered would be kept alive after.
      let look: TimerHandle;
      const closeIdle = () => {
        app.server.closeIdleConnections();
        look = timers.setTimeout(closeIdle, CLOSE_IDLE_MS);
      };
      closeIdle();
      await app.close();
      timers.clearTimeout(look);
      timers.clearTimeout(cutOff);
    },
  };
}

function cannotListen({ host, port }: HttpContext['config'], error: NodeJS.ErrnoException): HeadraceError {
  const why = error.code === 'EADDRINUSE' ? 'another program listens there already' : error.message;
  return new HeadraceError(
    'unavailable',
    `cannot listen on port ${port} of ${host}: ${why}; name another port (0 takes a free one)`,
    { cause: error },
  );
}

/** The index and the OpenAPI document, which list the other routes and themselves. */
function describing(others: Route[], server: string): Route[] {
  const index: Route = {
    method: 'GET',
    path: '/',
    summary: 'The routes',
    responses: { 200: { description: 'The routes', content: { 'application/json': IndexAnswer } } },
    errors: [],
    handle: (_request, reply) =>
      sendJson(reply, {
        server,
        websocket: '/ws',
        routes: all.map(({ method, path, summary }) => ({ method, path, summary })),
      }),
  };
  let text: object | null = null;
  const document: Route = {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This interface as an OpenAPI 3.1 document',
    responses: { 200: { description: 'The document', content: { 'application/json': OpenApiAnswer } } },
    errors: [],
    handle: (_request, reply) => {
      text ??= openApi(all, server);
      sendJson(reply, text);
    },
  };
  const all = [...others, index, document];
  return [index, document];
}

/** JSON stays bytes until its route parses it, so that each edge says the same of bad JSON; streams stay streams. */
function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addContentTypeParser([NDJSON_TYPE, ARROW_TYPE], (_request, payload, done) => done(null, payload));
}

function refusalWhileDraining({ draining }: HttpContext, request: IncomingMessage): HeadraceError | null {
  if (!draining() || ALWAYS.has((request.url ?? '').split('?')[0] as string)) return null;
  return new HeadraceError('draining', 'the server is shutting down; try again soon, or another server');
}

function refuse({ metrics }: HttpContext, response: ServerResponse, error: HeadraceError): void {
  metrics.handled('http', 'refused', error.code);
  response.writeHead(error.http, {
    'content-type': PROBLEM_TYPE,
    connection: 'close',
    ...(error.temporary ? { 'retry-after': '1' } : {}),
  });
  response.end(problemText(error));
}

/** What Fastify refuses by itself, in the one table of codes. */
function sendFastifyError(
  context: HttpContext,
  error: FastifyError | HeadraceError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const name = (request.routeOptions.url ?? 'unknown').slice(1).split('/:')[0] as string;
  sendProblem(
    context,
    name,
    request,
    reply,
    error instanceof HeadraceError ? error : translate(error, request, context),
  );
}

function translate(error: FastifyError, request: FastifyRequest, { config }: HttpContext): unknown {
  switch (error.statusCode) {
    case 413:
      return new HeadraceError(
        'too_large',
        `the body is larger than ${config.message_bytes_max} bytes; send it in parts`,
      );
    case 415: {
      const type = request.headers['content-type'];
      const found = type === undefined ? 'no content-type' : `content-type ${JSON.stringify(type)}`;
      return new HeadraceError(
        'unsupported_media_type',
        `the request has ${found}; taken are application/json, and for events ${NDJSON_TYPE} and ${ARROW_TYPE}`,
      );
    }
    case 400:
    case 414:
      return new HeadraceError('bad_request', error.message);
    default:
      return error;
  }
}

function sendNotFound(context: HttpContext, routes: Route[], request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split('?')[0] as string;
  const methods = routes.filter((route) => matches(route.path, path)).map(({ method }) => method);
  if (methods.length > 0) {
    reply.header('allow', methods.join(', '));
    const error = new HeadraceError('method_not_allowed', `${path} takes ${methods.join(', ')}, not ${request.method}`);
    sendProblem(context, 'unknown', request, reply, error);
    return;
  }
  const error = new HeadraceError('not_found', `no route is at ${path}; GET / lists those there are`);
  sendProblem(context, 'unknown', request, reply, error);
}

const matches = (pattern: string, path: string): boolean =>
  new RegExp(`^${pattern.replace(/[.]/g, '\\.').replace(/:\w+/g, '[^/]+')}$`).test(path);

/** Bytes that are no HTTP request never reach a route. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code: ErrorCode = error.code === 'HPE_HEADER_OVERFLOW' ? 'too_large' : 'bad_request';
  const body = problemText(new HeadraceError(code, `the bytes are not an HTTP request: ${error.message}`));
  socket.end(
    `HTTP/1.1 ${ERRORS[code].http} ${code}\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
