import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keyProblems, parseTemplate, renderTemplate } from '../../src/registry/key-template.ts';
import type { FieldType } from '../../src/registry/view.ts';

test('a template alternates text and columns', () => {
  assert.equal(parseTemplate('{origin}-{destination}'), ['', 'origin', '-', 'destination', '']);
  assert.equal(parseTemplate('US:{origin}'), ['US:', 'origin', '']);
});

test('a text without braces is a column', () => {
  assert.equal(parseTemplate('origin'), ['', 'origin', '']);
});

test('a template is written as it was read', () => {
  for (const text of ['{origin}-{destination}', 'US:{origin}!']) {
    assert.is(renderTemplate(parseTemplate(text) as string[]), text);
  }
});

test('braces must match and hold a column', () => {
  for (const text of ['{origin', 'origin}', '{{origin}}', '{}', '{two words}', 'two words', '{__proto__}']) {
    assert.not.instance(parseTemplate(text), Array, text);
  }
});

test('columns do not stand side by side: a, bc and ab, c would be one id', () => {
  assert.match((parseTemplate('{a}{b}') as { problem: string }).problem, 'write text between them');
});

test('a key column need not be a field, unless it nearly is', () => {
  const fields = new Map<string, FieldType | null>([
    ['origin', 'category'],
    ['delay', 'float'],
    ['flight', 'int'],
    ['broken', null],
  ]);
  const problemsOf = (text: string) => keyProblems(parseTemplate(text) as string[], fields);
  assert.equal(problemsOf('{origin}/{flight}/{tail_number}/{broken}'), []);
  assert.match(problemsOf('{orgin}')[0]!, 'did you mean "origin"');
  assert.match(problemsOf('{delay}')[0]!, 'is a float');
});

test.run();
