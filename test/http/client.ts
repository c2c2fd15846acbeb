import { Ajv } from 'ajv';
import * as assert from 'uvu/assert';
import { Problem } from '../../src/wire/bodies.ts';

const checkProblem = new Ajv({ allowUnionTypes: true }).compile(Problem);

/** @param body text as it is, anything else as JSON */
export function post(
  url: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the tests look at what it holds
export async function json(response: Response | Promise<Response>): Promise<any> {
  return (await response).json();
}

// biome-ignore lint/suspicious/noExplicitAny: checked against the schema of problem documents
export async function problem(response: Response, status: number, code: string): Promise<any> {
  const body = await json(response);
  assert.is(response.status, status, JSON.stringify(body));
  assert.is(response.headers.get('content-type'), 'application/problem+json');
  assert.ok(checkProblem(body), JSON.stringify(checkProblem.errors));
  assert.is(body.code, code);
  assert.is(body.status, status);
  assert.is(body.type, `urn:headrace:error:${code}`);
  return body;
}
