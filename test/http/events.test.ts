import { request } from 'node:http';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { type Edges, openEdges } from '../ws/edges.ts';
import { json, post, problem } from './client.ts';

const test = suite<{ edges: Edges }>('http/events');
const PATH = '/events/departures';
const NDJSON = { 'content-type': 'application/x-ndjson' };
const ARROW = { 'content-type': 'application/vnd.apache.arrow.stream' };

test.before.each(async (context) => {
  context.edges = await openEdges({ events_max: 5, message_bytes_max: 65_536 });
});

test.after.each(({ edges }) => edges.close());

test('a JSON array, and a single object', async ({ edges }) => {
  const response = await post(edges.url, PATH, [{ a: 1 }, 7, { a: 2 }]);
  assert.is(response.status, 200);
  assert.equal(await json(response), {
    position: 2,
    accepted: 2,
    late: 0,
    duplicate: 0,
    rejected: [{ index: 1, code: 'not_an_object', message: 'no object' }],
    rejected_count: 1,
  });
  assert.is((await json(post(edges.url, PATH, { a: 3 }))).position, 3);
  assert.equal(edges.service.taken[1]!.events, [{ a: 3 }]);
  assert.is(edges.service.taken[1]!.key, null);
});

test('bad bodies, sources and keys', async ({ edges }) => {
  await problem(await post(edges.url, PATH, '[1,'), 400, 'malformed_json');
  await problem(await post(edges.url, PATH, '5'), 400, 'bad_request');
  await problem(await post(edges.url, PATH, Array(6).fill({})), 413, 'too_many');
  await problem(await post(edges.url, PATH, ['x'.repeat(70_000)]), 413, 'too_large');
  await problem(await post(edges.url, '/events/no', [{}]), 404, 'unknown_source');
  await problem(await post(edges.url, PATH, 'a,b', { 'content-type': 'text/csv' }), 415, 'unsupported_media_type');
  await problem(await post(edges.url, PATH, [{}], { 'x-producer': 'p' }), 400, 'bad_request');
  await problem(await post(edges.url, PATH, [{}], { 'idempotency-key': 'x'.repeat(300) }), 400, 'bad_request');
  edges.service.refuse = [new HeadraceError('overloaded', 'full', { retryAfterMs: 10 })];
  const response = await post(edges.url, PATH, [{}]);
  assert.is(response.headers.get('retry-after'), '1');
  await problem(response, 429, 'overloaded');
  assert.is(edges.service.taken.length, 0);
});

test('a batch key in the query is refused, not overlooked', async ({ edges }) => {
  for (const headers of [{}, NDJSON, ARROW]) {
    const response = await post(edges.url, `${PATH}?producer=x&batch=1`, '{}', headers);
    const { detail } = await problem(response, 400, 'bad_request');
    for (const word of ['"producer", "batch"', 'Idempotency-Key', 'X-Producer']) assert.match(detail, word);
  }
  assert.is(edges.service.taken.length, 0);
  assert.is((await post(edges.url, `${PATH}?`, {})).status, 200);
});

test('where nothing is accepted the position is the head of the log', async ({ edges }) => {
  edges.service.position = 41;
  const table = tableToIPC(tableFromArrays({ delay: new Float64Array() }), 'stream');
  const bodies: [string | Buffer<ArrayBuffer>, Record<string, string>][] = [
    ['[]', { 'content-type': 'application/json' }],
    ['nonsense\n[1', NDJSON],
    ['5\n"text"', NDJSON],
    ['', NDJSON],
    [Buffer.from(table), ARROW],
  ];
  for (const [body, headers] of bodies) {
    const response = await fetch(edges.url + PATH, {
      method: 'POST',
      body,
      headers: { ...headers, 'idempotency-key': 'k' },
    });
    const answer = await json(response);
    assert.is(answer.accepted, 0);
    assert.is(answer.position, 41, JSON.stringify(body));
  }
  await problem(await post(edges.url, '/events/no', 'nonsense', NDJSON), 404, 'unknown_source');
});

test('Idempotency-Key and X-Producer make the batch key', async ({ edges }) => {
  await post(edges.url, PATH, [{}], { 'idempotency-key': 'k:1', 'x-producer': 'replay' });
  await post(edges.url, PATH, [{}], { 'idempotency-key': '"k:2"' });
  assert.equal(
    edges.service.taken.map(({ key }) => key),
    [
      { producer: 'replay', batch: 'k:1', chunk: 0 },
      { producer: 'http', batch: 'k:2', chunk: 0 },
    ],
  );
});

test('NDJSON: lines are events, bad lines are rejected by index', async ({ edges }) => {
  const lines = '{"a":1}\r\n\nnonsense\n{"a":2}\n5\n{"a":3}';
  const response = await post(edges.url, PATH, lines, { ...NDJSON, 'idempotency-key': 'k' });
  const answer = await json(response);
  assert.is(answer.accepted, 3);
  assert.is(answer.rejected_count, 2);
  assert.equal(
    answer.rejected.map(({ index, code }: { index: number; code: string }) => [index, code]),
    [
      [1, 'malformed_json'],
      [3, 'not_an_object'],
    ],
  );
  assert.equal(edges.service.taken[0]!.key, { producer: 'http', batch: 'k', chunk: 0 });
});

test('NDJSON of any length is cut into chunks, the same ones for a retry', async ({ edges }) => {
  const lines = Array.from({ length: 10_000 }, (_, i) => JSON.stringify({ i })).join('\n');
  for (let attempt = 0; attempt < 2; attempt++) {
    const response = await post(edges.url, PATH, lines, { ...NDJSON, 'idempotency-key': 'k' });
    assert.is((await json(response)).accepted, 10_000);
  }
  const taken = edges.service.taken.map(({ events, key }) => [(events as unknown[]).length, key!.chunk]);
  assert.equal(taken.slice(0, 3), [
    [4096, 0],
    [4096, 1],
    [1808, 2],
  ]);
  assert.equal(taken.slice(3), taken.slice(0, 3));
});

test('an overloaded engine slows an NDJSON stream down, and nothing is lost or out of order', async ({ edges }) => {
  edges.service.refuse = Array.from({ length: 3 }, () => new HeadraceError('overloaded', 'full', { retryAfterMs: 1 }));
  const lines = Array.from({ length: 9000 }, (_, i) => JSON.stringify({ i })).join('\n');
  const response = await post(edges.url, PATH, lines, { ...NDJSON, 'idempotency-key': 'k' });
  assert.is((await json(response)).accepted, 9000);
  const seen = edges.service.taken.flatMap(({ events }) => (events as { i: number }[]).map(({ i }) => i));
  assert.equal(
    seen,
    Array.from({ length: 9000 }, (_, i) => i),
  );
});

test('what stops a stream is told with what was taken before it', async ({ edges }) => {
  const lines = Array.from({ length: 4096 }, () => '{}');
  lines.push(`"${'x'.repeat(70_000)}"`);
  const response = await post(edges.url, PATH, lines.join('\n'), { ...NDJSON, 'idempotency-key': 'k' });
  const { data } = await problem(response, 413, 'too_large');
  assert.is(data.accepted, 4096);
  edges.service.refuse = [new HeadraceError('batch_conflict', 'other events')];
  await problem(await post(edges.url, PATH, '{}\n'.repeat(9000), NDJSON), 422, 'batch_conflict');
  await problem(await post(edges.url, '/events/no', '{}\n'.repeat(9000), NDJSON), 404, 'unknown_source');
});

test('without a key a slow stream is passed on as it comes, and stops when the server drains', async ({ edges }) => {
  const stream = request(edges.url + PATH, { method: 'POST', headers: NDJSON });
  const answered = new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('response', async (response) => {
      let body = '';
      for await (const piece of response) body += piece;
      resolve({ status: response.statusCode, body });
    });
  });
  stream.write('{"a":1}\n{"a"');
  while (edges.service.taken.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(edges.service.taken[0]!.events, [{ a: 1 }]);
  edges.startDraining();
  stream.write(':2}\n');
  const { status, body } = await answered;
  assert.is(status, 503);
  assert.is(JSON.parse(body).code, 'draining');
  assert.is(JSON.parse(body).data.accepted, 2);
  stream.destroy();
});

test('a producer that goes away in mid-stream leaves the server alive', async ({ edges }) => {
  const stream = request(edges.url + PATH, { method: 'POST', headers: NDJSON });
  stream.on('error', () => {});
  stream.write('{"a":1}\n');
  while (edges.service.taken.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  stream.destroy();
  while (!edges.counts.outcomes.includes('http events aborted')) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.is((await post(edges.url, PATH, [{}])).status, 200);
});

test('Arrow streams: a chunk a record batch, cut at events_max', async ({ edges }) => {
  const body = tableToIPC(tableFromArrays({ delay: Float64Array.from({ length: 12 }, (_, i) => i) }), 'stream');
  const response = await fetch(edges.url + PATH, {
    method: 'POST',
    body: Buffer.from(body),
    headers: { ...ARROW, 'idempotency-key': 'k' },
  });
  assert.is((await json(response)).accepted, 12);
  assert.equal(
    edges.service.taken.map(({ events, key }) => [(events as { numRows: number }).numRows, key!.chunk]),
    [
      [5, 0],
      [5, 1],
      [2, 2],
    ],
  );
  for (const bad of ['nonsense that is no Arrow', '']) {
    await problem(await post(edges.url, PATH, bad, ARROW), 400, 'bad_request');
  }
});

test.run();
