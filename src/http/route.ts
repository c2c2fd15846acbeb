/** A route: what answers it and what `/openapi.json` says of it, in one place. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import type { ErrorCode } from '../errors.ts';

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description: string;
}

export interface Content {
  description: string;
  /** By media type; a string describes what no schema can. */
  content: Record<string, TSchema | string>;
}

export interface Route {
  method: 'GET' | 'POST';
  /** As Fastify writes it: `/events/:source`. */
  path: string;
  summary: string;
  parameters?: Parameter[];
  body?: Content;
  responses: Record<number, Content & { headers?: Record<string, string> }>;
  /** Codes of problem documents beyond those that every route may answer with. */
  errors: ErrorCode[];
  handle: (request: FastifyRequest, reply: FastifyReply) => void;
}
