/** `/openapi.json`, made from the routes and from the schemas that check them. */
import { ERRORS, type ErrorCode } from '../errors.ts';
import { Problem } from '../wire/bodies.ts';
import { PROBLEM_TYPE } from '../wire/problem.ts';
import type { Content, Route } from './route.ts';

/** What any route may answer. */
const COMMON_ERRORS: ErrorCode[] = ['bad_request', 'internal', 'draining'];

export function openApi(routes: Route[], server: string): object {
  const [title = server, version = ''] = server.split('/');
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = openApiPath(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title, version, summary: 'Live features: computed from events, served and pushed' },
    paths,
    components: { schemas: { Problem } },
  };
}

export const openApiPath = (path: string): string => path.replace(/:(\w+)/g, '{$1}');

function operation(route: Route): object {
  return {
    operationId: `${route.method.toLowerCase()}${route.path.replace(/\W+(\w)/g, (_, first: string) => first.toUpperCase()).replace(/\W/g, '')}`,
    summary: route.summary,
    parameters: (route.parameters ?? []).map((parameter) => ({ ...parameter, schema: { type: 'string' } })),
    ...(route.body === undefined ? {} : { requestBody: { required: true, ...content(route.body) } }),
    responses: { ...problems(route), ...answers(route) },
  };
}

function answers({ responses }: Route): Record<string, object> {
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      {
        ...content(response),
        ...(response.headers === undefined
          ? {}
          : {
              headers: Object.fromEntries(
                Object.entries(response.headers).map(([name, description]) => [
                  name,
                  { description, schema: { type: 'string' } },
                ]),
              ),
            }),
      },
    ]),
  );
}

function content({ description, content }: Content): { description: string; content: object } {
  return {
    description,
    content: Object.fromEntries(
      Object.entries(content).map(([type, schema]) => [
        type,
        { schema: typeof schema === 'string' ? { type: 'string', description: schema } : schema },
      ]),
    ),
  };
}

function problems({ errors }: Route): Record<string, object> {
  const codes = new Map<number, ErrorCode[]>();
  for (const code of new Set([...errors, ...COMMON_ERRORS])) {
    const { http } = ERRORS[code];
    codes.set(http, [...(codes.get(http) ?? []), code]);
  }
  return Object.fromEntries(
    [...codes].map(([status, listed]) => [
      String(status),
      {
        description: listed.map((code) => `${code}: ${ERRORS[code].title}`).join('. '),
        content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}
