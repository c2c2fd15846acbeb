/** docs/FEATURES.md names everything that the registry takes, and nothing else. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLOCK_MODES } from '../../src/registry/clock-section.ts';
import { DURATION_UNITS } from '../../src/registry/durations.ts';
import { renderExpression } from '../../src/registry/expression-text.ts';
import {
  AGGREGATIONS,
  DEFAULTS,
  FEATURE_TYPES,
  FIELD_TYPES,
  FUNCTIONS,
  GRAMMAR,
  LIMITS,
  OPERATORS,
} from '../../src/registry/grammar.ts';
import { parseRegistry } from '../../src/registry/load.ts';
import type { Expression, Operator } from '../../src/registry/view.ts';

const text = readFileSync(new URL('../../docs/FEATURES.md', import.meta.url), 'utf8');
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
  const rows = [GRAMMAR.registry, GRAMMAR.source, GRAMMAR.view].flatMap(({ noun }) => tables.get(`Key of ${noun}`)!);
  for (const [key, value] of Object.entries(DEFAULTS)) {
    assert.is(rows.find(([name]) => name === `\`${key}\``)?.[1], `\`${value}\``, key);
  }
});

test('the words', () => {
  same('Unit', Object.keys(DURATION_UNITS));
  same('Clock mode', CLOCK_MODES);
  same('Field type', FIELD_TYPES);
  same('Feature type', FEATURE_TYPES);
  same('Aggregation', Object.keys(AGGREGATIONS));
  same('Function', Object.keys(FUNCTIONS));
  same('Operator', (Object.keys(OPERATORS) as Operator[]).map(sample));
  same('Limit', Object.keys(LIMITS));
});

test('the field types of each aggregation', () => {
  for (const [aggregation, , types] of tables.get('Aggregation')!) {
    const name = aggregation!.slice(1, -1) as keyof typeof AGGREGATIONS;
    assert.is(types, AGGREGATIONS[name].map((type) => `\`${type}\``).join(' '), name);
  }
});

test('the limits', () => {
  for (const [limit, most] of tables.get('Limit')!) {
    const name = limit!.slice(1, -1) as keyof typeof LIMITS;
    assert.is(Number.parseInt(most!, 10), LIMITS[name], name);
  }
});

test('the examples load', () => {
  const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  const [whole, ...parts] = blocks;
  assert.is(parts.length, 3);
  parseRegistry(whole!, 'docs/FEATURES.md');
  const head = whole!.slice(0, whole!.indexOf('        features:'));
  for (const part of parts) parseRegistry(head + part.replaceAll(/^/gm, '        ').trimEnd(), 'docs/FEATURES.md');
});

test.run();
