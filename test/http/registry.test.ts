import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Edges, openEdges } from '../ws/edges.ts';
import { json, problem } from './client.ts';

const test = suite<{ edges: Edges }>('http/registry');

test.before(async (context) => {
  context.edges = await openEdges();
});

test.after(({ edges }) => edges.close());

const reload = (edges: Edges, body?: string): Promise<Response> =>
  fetch(`${edges.url}/registry/reload`, {
    method: 'POST',
    ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
  });

test('a reload may be forced, and answers what it changed', async ({ edges }) => {
  const response = await reload(edges, '{"force":true}');
  assert.is(response.status, 200);
  assert.equal((await json(response)).changed, ['v@v1']);
});

test('a refused one is a problem document with the problems in it, with a body or without', async ({ edges }) => {
  for (const body of [undefined, '', '{}', '{"force":false}']) {
    const refused = await problem(await reload(edges, body), 422, 'invalid_registry');
    assert.equal(refused.data, { problems: [] });
  }
});

test('a body of another shape is refused', async ({ edges }) => {
  assert.match((await problem(await reload(edges, '{"force":1}'), 400, 'bad_request')).detail, /force/);
  await problem(await reload(edges, '{'), 400, 'malformed_json');
});

test.run();
