import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Edges, openEdges } from '../ws/edges.ts';
import { json, post, problem } from './client.ts';

const test = suite<{ edges: Edges }>('http/features');

test.before(async (context) => {
  context.edges = await openEdges({ entity_ids_max: 10, message_bytes_max: 65_536 });
});

test.after(({ edges }) => edges.close());

test('one entity: a hit, a miss, a stale row', async ({ edges }) => {
  edges.service.cached.add('ORD');
  const hit = await post(edges.url, '/features', { entity_id: 'ORD', surplus: 1 });
  assert.is(hit.status, 200);
  assert.is(hit.headers.get('x-cache'), 'hit');
  assert.match(hit.headers.get('content-type')!, /^application\/json/);
  const row = await json(hit);
  assert.is(row.view, 'airport_delay');
  assert.is(row.version, 'v1');
  assert.is(row.entity_id, 'ORD');
  assert.is(row.cached, true);
  const miss = await post(edges.url, '/features', { entity_id: 'ATL' });
  assert.is(miss.headers.get('x-cache'), 'miss');
  assert.is((await json(miss)).entity_id, 'ATL');
  const stale = await post(edges.url, '/features', { entity_id: 'old' });
  assert.is(stale.headers.get('x-cache'), 'stale');
  edges.service.bytes = true;
  assert.is((await json(post(edges.url, '/features', { entity_id: 'LAX' }))).entity_id, 'LAX');
  edges.service.bytes = false;
});

test('many entities, with errors in their rows', async ({ edges }) => {
  for (const bytes of [false, true]) {
    edges.service.bytes = bytes;
    const response = await post(edges.url, '/features/batch', { entity_ids: ['LAX', '', 'é', 'x'.repeat(10_000)] });
    assert.is(response.status, 200);
    const body = await json(response);
    assert.equal(Object.keys(body), ['view', 'version', 'rows']);
    assert.is(body.rows[0].entity_id, 'LAX');
    assert.is(body.rows[1].error.code, 'invalid_entity_id');
    assert.is(body.rows[2].entity_id, 'é');
    assert.is(body.rows[3].error.code, 'invalid_entity_id');
  }
  edges.service.bytes = false;
});

test('a deprecated version: since when, in the body and in a header (RFC 9745)', async ({ edges }) => {
  edges.service.isDeprecated = true;
  const bodies = [
    await post(edges.url, '/features', { entity_id: 'ORD' }),
    await post(edges.url, '/features', { entity_id: 'ATL' }),
    await post(edges.url, '/features/batch', { entity_ids: ['ATL', 'LAX'] }),
  ];
  edges.service.isDeprecated = false;
  for (const response of bodies) {
    assert.is(response.headers.get('deprecation'), `@${Date.parse('2026-01-31T00:00:00Z') / 1000}`);
    assert.is((await json(response)).deprecated, '2026-01-31');
  }
  const after = await post(edges.url, '/features', { entity_id: 'ATL' });
  assert.is(after.headers.get('deprecation'), null);
  assert.not('deprecated' in (await json(after)));
});

const BAD: [string, string, unknown, number, string, string][] = [
  ['text that is no JSON', '/features', '{"entity_id":', 400, 'malformed_json', 'the body is not JSON'],
  ['an empty body', '/features', '', 400, 'malformed_json', 'empty'],
  ['an array', '/features', [], 400, 'bad_request', 'the body is an array of 0; expected an object'],
  ['no id', '/features', {}, 400, 'bad_request', 'the body lacks entity_id'],
  [
    'an id that is a number',
    '/features',
    { entity_id: 5 },
    400,
    'bad_request',
    'entity_id of the body is 5; expected a string',
  ],
  ['an empty id', '/features', { entity_id: '' }, 422, 'invalid_entity_id', 'empty'],
  ['an id of 10 kB', '/features', { entity_id: 'x'.repeat(10_000) }, 422, 'invalid_entity_id', 'long'],
  ['an unknown view', '/features', { entity_id: 'ORD', view: 'no' }, 404, 'unknown_view', 'no'],
  ['an unknown version', '/features', { entity_id: 'ORD', version: 'v9' }, 404, 'unknown_version', 'v9'],
  ['an unknown feature', '/features', { entity_id: 'ORD', features: ['no'] }, 404, 'unknown_feature', 'no'],
  ['no features at all', '/features', { entity_id: 'ORD', features: [] }, 400, 'bad_request', 'features of the body'],
  ['a time that is none', '/features', { entity_id: 'ORD', as_of: 'yesterday' }, 422, 'invalid_time', 'yesterday'],
  [
    'a service that is no text',
    '/features',
    { entity_id: 'ORD', service: 5 },
    400,
    'bad_request',
    'service of the body',
  ],
  [
    'inputs that are no map',
    '/features',
    { entity_id: 'ORD', request: [1] },
    400,
    'bad_request',
    'request of the body',
  ],
  ['too many ids', '/features/batch', { entity_ids: Array(11).fill('ORD') }, 413, 'too_many', '11 entity ids'],
  ['ids that are no array', '/features/batch', { entity_ids: 'ORD' }, 400, 'bad_request', 'entity_ids'],
  ['a body over the limit', '/features/batch', { entity_ids: ['x'.repeat(70_000)] }, 413, 'too_large', '65536 bytes'],
  ['no answer in time', '/features', { entity_id: 'unavailable' }, 503, 'unavailable', 'no worker'],
  ['a bug', '/features', { entity_id: 'broken' }, 500, 'internal', 'the server failed'],
];

for (const [what, path, body, status, code, words] of BAD) {
  test(`${what}: ${status} ${code}`, async ({ edges }) => {
    const response = await post(edges.url, path, body);
    const { detail } = await problem(response, status, code);
    assert.ok(detail.includes(words), detail);
  });
}

test('Retry-After says when, in whole seconds', async ({ edges }) => {
  const response = await post(edges.url, '/features', { entity_id: 'unavailable' });
  assert.is(response.headers.get('retry-after'), '2');
  assert.is((await problem(response, 503, 'unavailable')).retry_after_ms, 1500);
});

test('other content types are 415, also those of other routes', async ({ edges }) => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/x-ndjson']) {
    const response = await fetch(`${edges.url}/features`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': type },
    });
    const { detail } = await problem(response, 415, 'unsupported_media_type');
    assert.ok(detail.includes('application/json'), detail);
  }
});

test('bytes that are not UTF-8 are malformed', async ({ edges }) => {
  const body = Buffer.concat([Buffer.from('{"entity_id":"'), Buffer.from([0xff]), Buffer.from('"}')]);
  const response = await fetch(`${edges.url}/features`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  await problem(response, 400, 'malformed_json');
});

test('unknown routes are 404, other methods 405 with Allow', async ({ edges }) => {
  await problem(await fetch(`${edges.url}/nothing`), 404, 'not_found');
  const response = await fetch(`${edges.url}/features`);
  assert.is(response.headers.get('allow'), 'POST');
  await problem(response, 405, 'method_not_allowed');
  await problem(await fetch(`${edges.url}/events/departures`), 405, 'method_not_allowed');
});

async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.setEncoding('utf8');
  socket.write(request);
  let answer = '';
  for await (const piece of socket) answer += piece;
  return answer;
}

test('bytes that are no HTTP, a foreign Host and a bad URL are problem documents', async ({ edges }) => {
  assert.match(await raw(edges.port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/);
  const foreign = await raw(edges.port, 'GET /healthz HTTP/1.1\r\nHost: evil.example:80\r\n\r\n');
  assert.match(foreign, /^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*evil\.example/);
  for (const host of ['localhost:1', '[::1]:80', '127.0.0.9']) {
    const answer = await raw(edges.port, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 200 /);
  }
  assert.match(
    await raw(edges.port, 'GET /%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/,
  );
});

test('pages of this machine are answered, those of other sites are not', async ({ edges }) => {
  const ask = (origin: string): Promise<string> =>
    raw(edges.port, `GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`);
  for (const origin of ['http://localhost', 'http://app.localhost:3000', 'https://127.0.0.9:80', 'http://[::1]:5173']) {
    assert.match(await ask(origin), /^HTTP\/1\.1 200 /, origin);
  }
  const foreign = [
    'https://evil.example',
    'http://localhost.evil.example:80',
    'null',
    'http://localhost, http://evil.example',
  ];
  for (const origin of foreign) {
    const answer = await ask(origin);
    assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/, origin);
    assert.match(answer, /the Origin header names/);
  }
  const page = { origin: 'https://evil.example' };
  const { detail } = await problem(await post(edges.url, '/features', { entity_id: 'ORD' }, page), 400, 'bad_request');
  assert.match(detail, 'evil.example');
});

test('an error leaves the connection usable', async ({ edges }) => {
  const bad = '{';
  const answer = await raw(
    edges.port,
    `POST /features HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${bad.length}\r\n\r\n${bad}` +
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  );
  assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*HTTP\/1\.1 200 /);
});

test.run();
