import { Ajv } from 'ajv';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { assertHost } from '../../src/http/host.ts';
import { openApiPath } from '../../src/http/openapi.ts';
import { type Edges, openEdges } from '../ws/edges.ts';
import { json, problem } from './client.ts';

const test = suite<{ edges: Edges }>('http/status');

test.before(async (context) => {
  context.edges = await openEdges();
});

test.after(({ edges }) => edges.close());

interface Operation {
  summary: string;
  operationId: string;
  parameters: { name: string; in: string }[];
  requestBody?: object;
  responses: Record<string, { description: string; content: Record<string, { schema: object }> }>;
}

async function document(
  url: string,
): Promise<{ openapi: string; paths: Record<string, Record<string, Operation>>; components: object }> {
  return json(fetch(`${url}/openapi.json`));
}

test('each GET answers as its schema in /openapi.json says', async ({ edges }) => {
  const { paths } = await document(edges.url);
  const ajv = new Ajv({ allowUnionTypes: true });
  for (const path of ['/', '/healthz', '/readyz', '/registry', '/fleet', '/drift', '/alerts', '/openapi.json']) {
    const response = await fetch(edges.url + path);
    assert.is(response.status, 200, path);
    assert.match(response.headers.get('content-type')!, /^application\/json/);
    const check = ajv.compile(paths[path]!['get']!.responses['200']!.content['application/json']!.schema);
    assert.ok(check(await json(response)), `${path}: ${JSON.stringify(check.errors)}`);
  }
});

test('the registry as it is declared', async ({ edges }) => {
  const registry = await json(fetch(`${edges.url}/registry`));
  assert.is(registry.sources[0].keys.route, '{origin}-{destination}');
  assert.is(registry.views[0].versions[0].features[0].name, 'departures_1h');
});

test('/readyz says why not', async ({ edges }) => {
  edges.service.isReady = false;
  const response = await fetch(`${edges.url}/readyz`);
  assert.is(response.status, 503);
  assert.equal((await json(response)).reasons, ['no worker has its shards']);
  edges.service.isReady = true;
});

test('/metrics is Prometheus text', async ({ edges }) => {
  const response = await fetch(`${edges.url}/metrics`);
  assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
  assert.is(await response.text(), 'headrace_up 1\n');
});

test('/producers says where one stands', async ({ edges }) => {
  const ask = (path: string) => fetch(edges.url + path);
  const known = await json(ask('/producers/replay?source=departures'));
  assert.is(known.last.batch, '0:7');
  assert.is((await json(ask('/producers/other?source=departures'))).last, null);
  await problem(await ask('/producers/replay'), 400, 'bad_request');
  await problem(await ask('/producers/replay?source=no'), 404, 'unknown_source');
});

test('every route is in /openapi.json and the other way round', async ({ edges }) => {
  const { openapi, paths } = await document(edges.url);
  assert.is(openapi, '3.1.0');
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  );
  const routed: string[] = [];
  for (const { method, path } of edges.http.routes) {
    assert.ok(edges.http.app.hasRoute({ method, url: path }), path);
    routed.push(`${method.toLowerCase()} ${openApiPath(path)}`);
  }
  assert.equal(documented.sort(), routed.sort());
  const printed = edges.http.app.printRoutes({ commonPrefix: false });
  assert.is(printed.match(/\((GET|POST)/g)!.length, routed.length);
});

test('every operation has a summary, an id of its own, its parameters, answers and problems', async ({ edges }) => {
  const { paths } = await document(edges.url);
  const ids = new Set<string>();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const where = `${method} ${path}`;
      assert.ok(operation.summary.length > 5, where);
      assert.not(ids.has(operation.operationId), where);
      ids.add(operation.operationId);
      for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
        assert.ok(
          operation.parameters.some((parameter) => parameter.in === 'path' && parameter.name === name),
          where,
        );
      }
      assert.is(operation.requestBody !== undefined, method === 'post', where);
      assert.ok(operation.responses['200'], where);
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        assert.ok(description.length > 0, where);
        const type = Object.keys(content)[0]!;
        if (Number(status) >= 400 && !(path === '/readyz' && status === '503')) {
          assert.is(type, 'application/problem+json', where);
        }
      }
    }
  }
});

test('only loopback is listened on', () => {
  for (const host of ['127.0.0.1', 'localhost', '::1', '127.9.9.9']) assertHost({ host });
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org']) {
    assert.throws(() => assertHost({ host }), new RegExp(`host is ${host}.*no authentication`));
  }
});

test('a draining server answers 503, its health all the same', async (context) => {
  const edges = await openEdges();
  edges.startDraining();
  try {
    const response = await fetch(`${edges.url}/registry`);
    assert.is(response.headers.get('retry-after'), '1');
    await problem(response, 503, 'draining');
    assert.is((await fetch(`${edges.url}/healthz`)).status, 200);
    const ready = await fetch(`${edges.url}/readyz`);
    assert.is(ready.status, 503);
    assert.equal((await json(ready)).reasons, ['the server is shutting down']);
  } finally {
    await edges.close();
  }
  assert.ok(context.edges);
});

test.run();
