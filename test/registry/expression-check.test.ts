import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseExpression } from '../../src/registry/expression.ts';
import { type Complaint, checkKinds, KINDS } from '../../src/registry/expression-check.ts';
import type { OutputType } from '../../src/registry/view.ts';

const OUTPUTS: Record<string, OutputType> = { x: 'float64', n: 'int64', late: 'bool', gate: 'string', at: 'timestamp' };

function check(text: string, ofEvents = false): { kind: string | null; complaints: Complaint[] } {
  const complaints: Complaint[] = [];
  const kind = checkKinds(
    parseExpression(text),
    (name) => (name in OUTPUTS ? KINDS[OUTPUTS[name]!] : null),
    (complaint) => complaints.push(complaint),
    ofEvents,
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

test('texts are compared with texts, and nothing else', () => {
  for (const text of ["gate == 'A1'", "'A1' != gate", "late and gate == 'A1'", 'gate != gate']) {
    assert.equal(check(text), { kind: 'bool', complaints: [] }, text);
  }
  const wrong: [string, number, string][] = [
    ['gate == 1', 8, 'found a text and a number'],
    ['x != gate', 0, 'found a text and a number'],
    ["gate < 'b'", 0, 'takes no text'],
    ["x > '5'", 4, 'write 5 without quotes'],
    ["where(late, 'a', 'b')", 12, 'where takes no text'],
    ["coalesce(gate, 'a')", 9, 'coalesce takes no text'],
    ['x + gate', 4, 'takes no text'],
  ];
  for (const [text, at, fragment] of wrong) {
    const [first] = check(text).complaints;
    assert.is(first?.at, at, text);
    assert.ok(first!.message.includes(fragment), first!.message);
  }
});

test('texts that are codes of their name are compared with texts in quotes only', () => {
  assert.equal(check("gate == 'A1'", true), { kind: 'bool', complaints: [] });
  const { complaints } = check('late or gate == gate', true);
  assert.equal(
    complaints.map(({ at }) => at),
    [13],
  );
  assert.match(complaints[0]!.message, 'one in quotes');
});

test('times stand inside the functions of time, and nowhere else', () => {
  assert.equal(check('hour_of_day(at) + time_since(at)'), { kind: 'number', complaints: [] });
  assert.equal(check("late or is_weekend(at, 'Europe/Paris')"), { kind: 'bool', complaints: [] });
  assert.match(check('at > 0').complaints[0]!.message, '> takes no time');
  assert.match(check('at > 0').complaints[0]!.message, 'time_since(x) or hour_of_day(x)');
  assert.not.match(check('at > 0', true).complaints[0]!.message, 'time_since');
  assert.match(check('where(late, at, at)').complaints[0]!.message, 'where takes no time');
  assert.match(check('month(x)').complaints[0]!.message, 'month takes a time, found a number');
  assert.match(check('month(gate)').complaints[0]!.message, 'month takes a time, found a text');
});

test('what depends on something wrong is not called wrong', () => {
  assert.equal(check('unknown and 1 > unknown'), { kind: 'bool', complaints: [] });
  assert.equal(check('where(late, unknown, unknown)'), { kind: null, complaints: [] });
});

test.run();
