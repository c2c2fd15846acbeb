import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadraceError } from '../../src/errors.ts';
import { batchKey, columnsLength } from '../../src/wire/checks.ts';
import { CLIENT_MESSAGES, type ClientType, SERVER_MESSAGES } from '../../src/wire/messages.ts';
import { problemText } from '../../src/wire/problem.ts';
import { compileCheck, show } from '../../src/wire/validate.ts';

const test = suite('wire/messages');

const check = (type: ClientType, message: object): unknown =>
  compileCheck(CLIENT_MESSAGES[type], type)({ type, ...message });

function failure(type: ClientType, message: object): { sentence: string; path: unknown } {
  try {
    check(type, message);
  } catch (error) {
    assert.instance(error, HeadraceError);
    const { code, message: sentence, data } = error as HeadraceError;
    assert.is(code, 'bad_request');
    return { sentence, path: (data as { path: string }).path };
  }
  throw new Error('it was taken');
}

const GOOD: [ClientType, object][] = [
  ['get', { id: 1, entity_ids: [] }],
  [
    'get',
    { id: 'a', entity_ids: ['ORD', 'ORD'], features: ['f'], as_of: 5, position: 0, min_position: 3, timeout_ms: 1 },
  ],
  ['get', { id: 1, entity_ids: [''], as_of: '2001-06-24', unknown: { field: 1 } }],
  ['subscribe', { id: 1, entity_ids: '*' }],
  ['subscribe', { id: 1, entity_ids: ['ORD'], resume: { epoch: 'e', revisions: { ORD: 3 } } }],
  ['unsubscribe', { id: 1, topic: 3 }],
  ['ingest', { id: 1, source: 's', events: [1, null, {}], producer: 'p', batch: -3, chunk: 0 }],
  ['ingest', { id: 1, source: 's', columns: { a: [1, 'x', null] }, producer: 'p', batch: 'k:1' }],
  ['ingest', { id: -(2 ** 53) + 1, source: 's', events: [], producer: 'p', batch: 2 ** 53 - 1 }],
  ['ingest', { id: '9007199254740993', source: 's', events: [], producer: 'p', batch: '9007199254740993' }],
  ['watch_alerts', { id: 1, severity: 'critical', resume: { epoch: 'e', offset: 0 } }],
  ['ping', {}],
  ['pong', {}],
  ['hello', { token: 't', client: 'c' }],
  ['auth', { token: 't' }],
];

for (const [type, message] of GOOD) {
  test(`${type} ${JSON.stringify(message)} is taken`, () => {
    assert.equal(check(type, message), { type, ...message });
  });
}

const BAD: [ClientType, object, string, string][] = [
  ['get', { entity_ids: [] }, 'id', 'get lacks id; it must be given'],
  ['get', { id: true, entity_ids: [] }, 'id', 'id of get is true; expected a string or a number'],
  ['get', { id: 1, entity_ids: ['a', null] }, 'entity_ids[1]', 'entity_ids[1] of get is null; expected a string'],
  ['get', { id: 1, entity_ids: {} }, 'entity_ids', 'entity_ids of get is an object; expected an array'],
  [
    'get',
    { id: 1, entity_ids: [], features: [] },
    'features',
    'features of get is an array of 0; expected at least one item',
  ],
  ['get', { id: 1, entity_ids: [], position: 1.5 }, 'position', 'position of get is 1.5; expected an integer'],
  [
    'get',
    { id: 1, entity_ids: [], timeout_ms: 60_001 },
    'timeout_ms',
    'timeout_ms of get is 60001; expected at most 60000',
  ],
  ['get', { id: 1, entity_ids: [], as_of: null }, 'as_of', 'as_of of get is null; expected a string or a number'],
  [
    'get',
    { id: 1, entity_ids: [], view: 'x'.repeat(9).split('') },
    'view',
    'view of get is an array of 9; expected a string',
  ],
  [
    'subscribe',
    { id: 1, entity_ids: 'all' },
    'entity_ids',
    'entity_ids of subscribe is "all"; expected an array or "*"',
  ],
  [
    'subscribe',
    { id: 1, entity_ids: [], resume: { epoch: 'e', revisions: { 'a/b': 'x' } } },
    'resume.revisions.a/b',
    'resume.revisions.a/b of subscribe is "x"; expected an integer',
  ],
  [
    'subscribe',
    { id: 1, entity_ids: [], resume: { revisions: {} } },
    'resume.epoch',
    'subscribe lacks resume.epoch; it must be given',
  ],
  ['unsubscribe', { id: 1, topic: '1' }, 'topic', 'topic of unsubscribe is "1"; expected an integer'],
  ['ingest', { id: 1, source: 's', events: {} }, 'events', 'events of ingest is an object; expected an array'],
  ['ingest', { id: 1, source: 's', columns: { a: 1 } }, 'columns.a', 'columns.a of ingest is 1; expected an array'],
  ['ingest', { id: 1, source: 's', batch: '' }, 'batch', 'batch of ingest is ""; expected at least one character'],
  [
    'ingest',
    { id: 1, source: 's', batch: 'x'.repeat(257) },
    'batch',
    `batch of ingest is "${'x'.repeat(59)}… (259 characters); expected at most 256 characters`,
  ],
  ['ingest', { id: 1, source: 's', batch: 1.5 }, 'batch', 'batch of ingest is 1.5; expected a string or an integer'],
  [
    'ingest',
    { id: 1, source: 's', batch: 2 ** 53 },
    'batch',
    'batch of ingest is 9007199254740992; expected at most 9007199254740991, beyond which numbers are not exact; ' +
      'send it as text',
  ],
  [
    'ingest',
    { id: 1, source: 's', batch: -(2 ** 53) },
    'batch',
    'batch of ingest is -9007199254740992; expected at least -9007199254740991, beyond which numbers are not exact; ' +
      'send it as text',
  ],
  ['ingest', { id: 1, source: 's', chunk: -1 }, 'chunk', 'chunk of ingest is -1; expected at least 0'],
  [
    'ping',
    { id: 1e17 },
    'id',
    'id of ping is 100000000000000000; expected at most 9007199254740991, beyond which numbers are not exact; ' +
      'send it as text',
  ],
  [
    'get',
    { id: 1, entity_ids: [], min_position: 2 ** 53 },
    'min_position',
    'min_position of get is 9007199254740992; expected at most 9007199254740991, beyond which numbers are not exact',
  ],
  [
    'subscribe',
    { id: 1, entity_ids: [], resume: { epoch: 'e', revisions: { ORD: 2 ** 53 } } },
    'resume.revisions.ORD',
    'resume.revisions.ORD of subscribe is 9007199254740992; expected at most 9007199254740991, ' +
      'beyond which numbers are not exact',
  ],
  [
    'watch_alerts',
    { id: 1, severity: 'mild' },
    'severity',
    'severity of watch_alerts is "mild"; expected one of info, warning, critical',
  ],
];

for (const [type, message, path, sentence] of BAD) {
  test(`${type}: ${sentence}`, () => {
    assert.equal(failure(type, message), { sentence, path });
  });
}

test('every message and field is described', () => {
  for (const [name, schema] of Object.entries({ ...CLIENT_MESSAGES, ...SERVER_MESSAGES })) {
    assert.ok((schema as { description?: string }).description, name);
  }
});

test('a long value is cut in a sentence', () => {
  assert.is(show('x'.repeat(100)), `"${'x'.repeat(59)}… (102 characters)`);
  assert.is(show(undefined), 'undefined');
});

test('producer and batch come together', () => {
  assert.is(batchKey({}), null);
  assert.equal(batchKey({ producer: 'p', batch: 0 }), { producer: 'p', batch: 0, chunk: 0 });
  for (const part of [{ producer: 'p' }, { batch: 1 }, { chunk: 1 }]) assert.throws(() => batchKey(part), /together/);
});

test('columns have one length', () => {
  assert.is(columnsLength({ a: [1, 2], b: [3, 4] }), 2);
  assert.throws(() => columnsLength({}), /no column/);
  assert.throws(() => columnsLength({ a: [1], b: [] }), /one length/);
});

test('a problem document holds the code and its title', () => {
  assert.equal(JSON.parse(problemText(new HeadraceError('overloaded', 'full', { retryAfterMs: 5, data: { a: 1 } }))), {
    type: 'urn:headrace:error:overloaded',
    title: 'Too much is in flight; slow down',
    status: 429,
    detail: 'full',
    code: 'overloaded',
    temporary: true,
    retry_after_ms: 5,
    data: { a: 1 },
  });
});

test.run();
