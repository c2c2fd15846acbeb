import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExpression } from '../../src/registry/expression.ts';
import { type Complaint, checkKinds } from '../../src/registry/expression-check.ts';
import type { OutputType } from '../../src/registry/view.ts';

const OUTPUTS: Record<string, OutputType> = { x: 'float64', n: 'int64', late: 'bool', gate: 'string', at: 'timestamp' };

function check(text: string): { kind: string | null; complaints: Complaint[] } {
  const complaints: Complaint[] = [];
  const kind = checkKinds(
    parseExpression(text),
    (name) => OUTPUTS[name],
    (complaint) => complaints.push(complaint),
  );
  return { kind, complaints };
}

test('arithmetic and functions give numbers', () => {
  for (const text of ['x + n', '-x', 'min(x, n, 1)', 'log(x) / sqrt(n)', 'where(late, x, 0)', 'coalesce(x, n, 0)']) {
    assert.equal(check(text), { kind: 'number', complaints: [] }, text);
  }
});

test('comparison and logic give true or false', () => {
  for (const text of ['x > 1', 'late and not (x < n)', 'where(late, x > 1, late)', 'coalesce(late, x != 0)', 'late']) {
    assert.equal(check(text), { kind: 'bool', complaints: [] }, text);
  }
});

test('numbers and truth values do not pass for each other', () => {
  const places: [string, number[]][] = [
    ['late + 1', [0]],
    ['(x > 1) * (n > 2)', [3, 13]],
    ['x and late', [0]],
    ['not x', [4]],
    ['late == late', [0, 8]],
    ['abs(late)', [4]],
    ['where(x, 1, 2)', [6]],
    ['where(late, 1, late)', [15]],
    ['coalesce(x, 1, late)', [15]],
  ];
  for (const [text, expected] of places) {
    const { complaints } = check(text);
    assert.equal(
      complaints.map((complaint) => complaint.at),
      expected,
      text,
    );
  }
});

test('texts and times cannot stand in an expression', () => {
  assert.match(check('x + gate').complaints[0]!.message, '"gate" is a string');
  assert.match(check('at > 0').complaints[0]!.message, '"at" is a timestamp');
});

test('what depends on something wrong is not called wrong', () => {
  assert.equal(check('unknown and 1 > unknown'), { kind: 'bool', complaints: [] });
  assert.equal(check('where(late, unknown, unknown)'), { kind: null, complaints: [] });
});

test.run();
