/** What the server tells of itself. */
import type { FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import { HeadraceError } from '../errors.ts';
import {
  AlertsAnswer,
  DriftAnswer,
  FleetAnswer,
  Health,
  ProducerAnswer,
  Readiness,
  RegistryAnswer,
} from '../wire/bodies.ts';
import type { HttpContext } from './context.ts';
import { sendJson, sendProblem } from './reply.ts';
import type { Route } from './route.ts';

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function statusRoutes(context: HttpContext): Route[] {
  const { status, alerts } = context.service;
  return [
    read('/healthz', 'Whether the process answers', Health, () => ({ status: 'ok' })),
    readiness(context),
    metrics(context),
    read('/registry', 'What is declared: entities, sources and views', RegistryAnswer, () => status.registry()),
    read('/fleet', 'The Python workers and their shards', FleetAnswer, () => status.fleet()),
    read('/drift', 'Drift scores by view and feature', DriftAnswer, () => status.drift()),
    read('/alerts', 'Alerts that fire, and the recent ones', AlertsAnswer, () => alerts.answer()),
    producer(context),
  ];
}

function read(path: string, summary: string, schema: TSchema, answer: () => object): Route {
  return {
    method: 'GET',
    path,
    summary,
    responses: { 200: { description: summary, content: { 'application/json': schema } } },
    errors: [],
    handle: (_request, reply) => sendJson(reply, answer()),
  };
}

function readiness({ service, draining }: HttpContext): Route {
  const summary = 'Whether requests can be answered';
  const content = { 'application/json': Readiness };
  return {
    method: 'GET',
    path: '/readyz',
    summary,
    responses: { 200: { description: 'Ready', content }, 503: { description: 'Not ready, and why', content } },
    errors: [],
    handle: (_request, reply) => {
      const state = service.status.ready();
      const answer: Readiness = draining()
        ? { ...state, ready: false, reasons: [...state.reasons, 'the server is shutting down'] }
        : state;
      reply
        .code(answer.ready ? 200 : 503)
        .header('content-type', 'application/json; charset=utf-8')
        .send(JSON.stringify(answer));
    },
  };
}

function metrics(context: HttpContext): Route {
  return {
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    responses: { 200: { description: 'Prometheus text', content: { 'text/plain': 'Prometheus text, version 0.0.4' } } },
    errors: [],
    handle: (request, reply) => {
      context.metricsText().then(
        (text) => reply.header('content-type', METRICS_TYPE).send(text),
        (error: unknown) => sendProblem(context, 'metrics', request, reply, error),
      );
    },
  };
}

function producer(context: HttpContext): Route {
  return {
    method: 'GET',
    path: '/producers/:producer',
    summary: 'The batch that a producer wrote last, to resume from',
    parameters: [
      { name: 'producer', in: 'path', required: true, description: 'Name of the producer' },
      { name: 'source', in: 'query', required: true, description: 'Name of the source' },
    ],
    responses: { 200: { description: 'Where it stands', content: { 'application/json': ProducerAnswer } } },
    errors: ['bad_request', 'unknown_source', 'store_unavailable'],
    handle: (request, reply) => {
      const { producer } = request.params as { producer: string };
      const source = sourceOf(request);
      context.service.ingest.lastBatch(source, producer, (error, last) => {
        if (error === null) sendJson(reply, { source, producer, last });
        else sendProblem(context, 'producers', request, reply, error);
      });
    },
  };
}

function sourceOf(request: FastifyRequest): string {
  const { source } = request.query as { source?: unknown };
  if (typeof source === 'string' && source !== '') return source;
  throw new HeadraceError('bad_request', 'the query lacks source; ask as /producers/NAME?source=SOURCE');
}
