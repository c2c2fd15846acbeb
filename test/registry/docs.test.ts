/** docs/FEATURES.md names everything that the registry takes, and nothing else. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLOCK_MODES } from '../../src/registry/clock-section.ts';
import { DURATION_UNITS } from '../../src/registry/durations.ts';
import { renderExpression } from '../../src/registry/expression-text.ts';
import {
  AGGREGATION_KEYS,
  AGGREGATIONS,
  FUNCTION_KEYS,
  FUNCTIONS,
  type OwnKey,
  SEVERAL,
} from '../../src/registry/feature-words.ts';
import {
  DEFAULTS,
  FEATURE_TYPES,
  FIELD_TYPES,
  GRAMMAR,
  LIMITS,
  OPERATORS,
  REQUEST_FUNCTIONS,
} from '../../src/registry/grammar.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import type { Aggregation, Expression, Operator, SeriesFunction } from '../../src/registry/view.ts';

const text = readFileSync(new URL('../../docs/FEATURES.md', import.meta.url), 'utf8');
/** By the first of them: the words of each heading row. */
const titles = new Map<string, string[]>();
const tables = readTables(text);

/** By the first word of the heading row: the cells of each row. */
function readTables(markdown: string): Map<string, string[][]> {
  const found = new Map<string, string[][]>();
  for (const [table] of markdown.matchAll(/(?:^\|.*\|\n)+/gm)) {
    const [heading, , ...rows] = table
      .trimEnd()
      .split('\n')
      .map((line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      );
    titles.set(heading![0]!, heading!);
    found.set(heading![0]!, rows);
  }
  return found;
}

const namesIn = (heading: string): string[] => {
  const rows = tables.get(heading);
  assert.ok(rows, `there is no table of "${heading}"`);
  return rows!.map(([name]) => /^`(.+)`$/.exec(name!)![1]!);
};

function same(heading: string, names: readonly string[]): void {
  assert.equal(namesIn(heading).toSorted(), names.toSorted(), heading);
}

function sample(operator: Operator): string {
  const operands = OPERATORS[operator].arguments.map((_, i): Expression => ['ref', 'abc'[i]!]);
  return renderExpression([operator, ...operands]);
}

test('the tables of keys', () => {
  for (const { noun, required, optional } of Object.values(GRAMMAR)) {
    const heading = `Key of ${noun}`;
    same(heading, [...required, ...optional]);
    for (const [name, given] of tables.get(heading)!) {
      const key = name!.slice(1, -1);
      assert.is(given === 'required', (required as readonly string[]).includes(key), `${heading}: ${key}`);
    }
  }
  assert.is([...tables.keys()].filter((heading) => heading.startsWith('Key of')).length, Object.keys(GRAMMAR).length);
});

test('the defaults', () => {
  const rows = [GRAMMAR.registry, GRAMMAR.source, GRAMMAR.view, GRAMMAR.python].flatMap(
    ({ noun }) => tables.get(`Key of ${noun}`)!,
  );
  for (const [key, value] of Object.entries(DEFAULTS)) {
    assert.is(rows.find(([name]) => name === `\`${key}\``)?.[1], `\`${value}\``, key);
  }
});

test('the words', () => {
  same('Unit', Object.keys(DURATION_UNITS));
  same('Clock mode', CLOCK_MODES);
  same('Field type', FIELD_TYPES);
  same('Feature type', FEATURE_TYPES);
  same('Aggregation', [...Object.keys(AGGREGATIONS), ...Object.keys(SEVERAL)]);
  same('Function', Object.keys(FUNCTIONS));
  same(
    'Function of a time',
    REQUEST_FUNCTIONS.map((name) => `${name}(a)`),
  );
  same('Operator', (Object.keys(OPERATORS) as Operator[]).map(sample));
  same('Limit', Object.keys(LIMITS));
});

/** The column of a table, by the name in the first. */
function column(heading: string, title: string): Map<string, string> {
  const place = titles.get(heading)!.indexOf(title);
  assert.ok(place > 0, `the table of "${heading}" has no column "${title}"`);
  return new Map(tables.get(heading)!.map((row) => [row[0]!.slice(1, -1), row[place]!]));
}

const code = (words: readonly string[]): string =>
  words.length === 0 ? 'none' : words.map((word) => `\`${word}\``).join(' ');

/** As `q` (`approximate`): what may be left out in parentheses. */
function keysOf(word: string, keys: Readonly<Record<string, OwnKey>>): string {
  const own = Object.entries(keys).filter(([, { of }]) => of.includes(word));
  return own.map(([key, { such }]) => (such === undefined ? `(\`${key}\`)` : `\`${key}\``)).join(' ') || 'none';
}

test('the field types and keys of each aggregation', () => {
  const types = column('Aggregation', 'Field types');
  const keys = column('Aggregation', 'Keys');
  for (const name of types.keys()) {
    const planned = SEVERAL[name as keyof typeof SEVERAL] ?? name;
    assert.is(types.get(name), code(AGGREGATIONS[planned as Aggregation]), name);
    assert.is(keys.get(name), keysOf(name, AGGREGATION_KEYS), name);
  }
});

test('the field types and keys of each function', () => {
  const types = column('Function', 'Field types');
  const keys = column('Function', 'Keys');
  for (const name of types.keys()) {
    assert.is(types.get(name), code(FUNCTIONS[name as SeriesFunction]), name);
    assert.is(keys.get(name), keysOf(name, FUNCTION_KEYS), name);
  }
});

test('what every aggregation and function tells of itself', () => {
  const costs = namesIn('Cost');
  for (const heading of ['Aggregation', 'Function']) {
    for (const row of tables.get(heading)!) assert.ok(!row.includes(''), `${heading}: ${row[0]}`);
    for (const [name, cost] of column(heading, 'Cost')) assert.ok(costs.includes(cost.slice(1, -1)), name);
    for (const [name, oracle] of column(heading, 'Oracle')) assert.match(oracle, '`', name);
    assert.is(column(heading, 'Null').size, tables.get(heading)!.length);
  }
  assert.is(column('Function', '`valid_until`').size, column('Function', 'Unit').size);
});

test('the keys of windows', () => {
  const series: readonly string[] = GRAMMAR.time_series.optional;
  const others = ['field', 'source', 'description'];
  same(
    'Window key',
    GRAMMAR.statistical.optional.filter((key) => series.includes(key) && !others.includes(key)),
  );
});

test('every aggregation and function stands in an example', () => {
  const examples = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1]).join('');
  for (const name of namesIn('Aggregation')) assert.match(examples, new RegExp(`aggregation: ${name}\\b`));
  for (const name of namesIn('Function')) assert.match(examples, new RegExp(`function: ${name}\\b`));
});

test('the limits', () => {
  for (const [limit, most] of tables.get('Limit')!) {
    const name = limit!.slice(1, -1) as keyof typeof LIMITS;
    assert.is(Number.parseInt(most!, 10), LIMITS[name], name);
  }
});

test('the examples load', () => {
  const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  const [whole, flat, services, ...parts] = blocks;
  parseRegistry(flat!, 'docs/FEATURES.md');
  assert.is(parts.length, 4);
  parseRegistry(whole! + services!, 'docs/FEATURES.md');
  const head = whole!.slice(0, whole!.indexOf('        features:'));
  for (const part of parts) parseRegistry(head + part.replaceAll(/^/gm, '        ').trimEnd(), 'docs/FEATURES.md');
});

test.run();
