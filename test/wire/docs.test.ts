/** docs/PROTOCOL.md and the code say the same, both ways. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ERRORS } from '../../src/errors.ts';
import { FeaturesBody } from '../../src/wire/bodies.ts';
import { CLOSE_CODES } from '../../src/wire/close-codes.ts';
import { CLIENT_MESSAGES, SERVER_MESSAGES } from '../../src/wire/messages.ts';
import { ValueRow } from '../../src/wire/parts.ts';
import { openEdges } from '../ws/edges.ts';

const test = suite('wire/docs');
const TEXT = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8');

type Fields = { properties: Record<string, object>; required?: string[] };

/** The text under a heading, up to the next of its level or above. */
function section(heading: string): string {
  const level = heading.match(/^#+/)![0].length;
  const from = TEXT.indexOf(`\n${heading}\n`);
  assert.ok(from >= 0, `no section ${heading}`);
  const rest = TEXT.slice(from + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${level}} `, 'm'));
  return end < 0 ? rest : rest.slice(0, end);
}

/** The cells of each table row under a heading, headers and rules left out. */
function tableRows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => /^\| [`\d]/.test(line))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** Name → whether it is optional, of a table of fields. */
function documentedFields(text: string): Map<string, boolean> {
  return new Map(
    tableRows(text).flatMap(([names, type]) =>
      [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => [name!, /optional/.test(type!)] as const),
    ),
  );
}

function schemaFields({ properties, required = [] }: Fields): Map<string, boolean> {
  const names = Object.keys(properties).filter((name) => name !== 'type');
  return new Map(names.map((name) => [name, !required.includes(name)]));
}

const sorted = <T>(entries: Iterable<[string, T]>): [string, T][] => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));

const DIRECTIONS: [string, Record<string, object>][] = [
  ['C→S', CLIENT_MESSAGES],
  ['S→C', SERVER_MESSAGES],
];

for (const [direction, messages] of DIRECTIONS) {
  for (const [name, schema] of Object.entries(messages)) {
    if (name === 'pong' && direction === 'C→S') continue;
    test(`${name} ${direction}: every field, required or optional, and no other`, () => {
      const documented = documentedFields(section(`### \`${name}\` ${name === 'pong' ? 'both' : direction}`));
      assert.equal(sorted(documented), sorted(schemaFields(schema as Fields)));
    });
  }
}

test('no other message is documented', () => {
  const headings = [...section('## WebSocket: messages').matchAll(/^### `(\w+)`/gm)].map(([, name]) => name);
  const names = new Set([...Object.keys(CLIENT_MESSAGES), ...Object.keys(SERVER_MESSAGES)]);
  assert.equal(headings.sort(), [...names].sort());
});

test('the limits and the capabilities of welcome', () => {
  const text = section('### `welcome` S→C');
  const limits = (SERVER_MESSAGES.welcome as unknown as { properties: { limits: Fields } }).properties.limits;
  for (const name of Object.keys(limits.properties)) assert.ok(text.includes(`\`${name}\``), name);
  const { maximum, minimum } = (FeaturesBody as unknown as { properties: { timeout_ms: Record<string, number> } })
    .properties.timeout_ms;
  assert.ok(section('### `get` C→S').includes(`${minimum} to ${maximum}`));
});

test('a row', () => {
  assert.equal(sorted(documentedFields(section('### A row'))), sorted(schemaFields(ValueRow as unknown as Fields)));
});

test('every error code with its status and whether it is temporary', () => {
  const documented = tableRows(section('## Error codes'));
  const inCode = Object.entries(ERRORS).map(([code, { http, temporary, title }]) => [
    `\`${code}\``,
    String(http),
    temporary ? 'yes' : 'no',
    title,
  ]);
  assert.equal(documented, inCode);
});

test('every code named anywhere exists', () => {
  const named = [...TEXT.matchAll(/"code":"(\w+)"/g)].map(([, code]) => code!);
  for (const code of named) assert.ok(code in ERRORS, code);
});

test('every close code', () => {
  const inCode = Object.entries(CLOSE_CODES).map(([code, { name, reconnect, meaning }]) => [
    code,
    `\`${name}\``,
    reconnect ? 'yes' : 'no',
    meaning,
  ]);
  assert.equal(tableRows(section('## Close codes')), inCode);
});

test('every route', async () => {
  const edges = await openEdges();
  await edges.close();
  const inCode = edges.http.routes.map(({ method, path }) => `${method} ${path}`);
  const http = section('## HTTP');
  const documented = [...http.matchAll(/^\| `((?:GET|POST) [^`]+)` \|/gm)].map(([, route]) => route);
  assert.equal(documented.sort(), inCode.sort());
  const events = edges.http.routes.find(({ path }) => path === '/events/:source')!;
  const types = tableRows(section('### `POST /events/:source`')).map(([type]) => type!.replaceAll('`', ''));
  assert.equal(types, Object.keys(events.body!.content));
});

/** Each route's row of the table: what it takes and what it answers. */
const routeCells = (): [string, string, string][] =>
  [...section('## HTTP').matchAll(/^\| `((?:GET|POST) [^`]+)` \|(.*)\|(.*)\|$/gm)].map(([, route, takes, answers]) => [
    route!,
    takes!,
    answers!,
  ]);

/** The fields of each object in a cell, as `name`, `name?` or `name[]`. */
const shapes = (cell: string): string[][] =>
  [...cell.matchAll(/`\{([^}`]*)\}`/g)].map(([, names]) => names!.split(', ').map((name) => name.split(':')[0]!));

function shapeOf({ properties, required = [] }: Fields): string[] {
  return Object.entries(properties).map(([name, schema]) => {
    const { type } = schema as { type?: string };
    return `${name}${required.includes(name) ? '' : '?'}${type === 'array' ? '[]' : ''}`;
  });
}

test('the fields of every answer over HTTP', async () => {
  const edges = await openEdges();
  await edges.close();
  let compared = 0;
  for (const [name, , answers] of routeCells()) {
    const [documented, ...inner] = shapes(answers);
    if (documented === undefined) continue;
    const route = edges.http.routes.find(({ method, path }) => `${method} ${path}` === name)!;
    const schema = route.responses[200]!.content['application/json'] as unknown as Fields;
    assert.equal(documented, shapeOf(schema), name);
    compared++;
    if (!name.startsWith('GET /producers/')) continue;
    const { anyOf } = schema.properties['last'] as { anyOf: Fields[] };
    assert.equal(inner, [shapeOf(anyOf[0]!)]);
  }
  assert.ok(compared >= 9, `${compared}`);
});

test('the fields of POST /features', () => {
  const [, takes] = routeCells().find(([name]) => name === 'POST /features')!;
  const expected = shapeOf(FeaturesBody as unknown as Fields);
  assert.equal(shapes(takes)[0]!.sort(), expected.map((name) => name.replace('[]', '')).sort());
});

test.run();
