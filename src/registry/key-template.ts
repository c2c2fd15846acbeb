import { columnProblem } from './names.ts';
import { closest, listOf, quote } from './suggest.ts';
import type { FieldType } from './view.ts';

/** What an entity id can be made of: a float or a time has more than one spelling. */
const KEY_TYPES: FieldType[] = ['category', 'int'];

/**
 * Splits `"{origin}-{destination}"` into `['', 'origin', '-', 'destination', '']`; a text without braces is the name
 * of one column.
 *
 * @returns the alternating parts, or the sentence that says what is wrong
 */
export function parseTemplate(text: string): string[] | { problem: string } {
  if (!/[{}]/.test(text)) return checkColumns(['', text, '']);
  const parts = text.split(/\{([^{}]*)\}/);
  const stray = parts.find((part, i) => i % 2 === 0 && /[{}]/.test(part));
  if (stray !== undefined) {
    return { problem: `${quote(text)} has a brace without its partner; write columns as {column}` };
  }
  if (parts.slice(1, -1).some((part, i) => i % 2 === 1 && part === '')) {
    const sentence = `${quote(text)} has two columns side by side, so that different entities may get the same id`;
    return { problem: `${sentence}; write text between them, as in {a}-{b}` };
  }
  return checkColumns(parts);
}

/** The template as text: `{origin}-{destination}`. */
export function renderTemplate(template: readonly string[]): string {
  return template.map((part, i) => (i % 2 === 0 ? part : `{${part}}`)).join('');
}

/**
 * A key column need not be a declared field, for ids are kept apart from fields; but one that nearly is called like
 * a field is taken for a misspelling, and a field must be of a type that has one spelling a value.
 *
 * @param fields null as a type: declared, but wrongly
 * @returns the sentences that say what is wrong
 */
export function keyProblems(template: readonly string[], fields: ReadonlyMap<string, FieldType | null>): string[] {
  const problems: string[] = [];
  for (const column of template.filter((_, i) => i % 2 === 1)) {
    const type = fields.get(column);
    if (type === undefined) {
      const guess = closest(column, fields.keys());
      if (guess === null) continue;
      const fix = `did you mean ${quote(guess)}? Else declare ${column} under fields, as a category`;
      problems.push(`unknown column ${quote(column)}; ${fix}; the fields are ${listOf(fields.keys())}`);
    } else if (type !== null && !KEY_TYPES.includes(type)) {
      problems.push(`column ${quote(column)} is a ${type}, and a key is made of category or int; declare it as one`);
    }
  }
  return problems;
}

function checkColumns(parts: string[]): string[] | { problem: string } {
  for (const column of parts.filter((_, i) => i % 2 === 1)) {
    const problem = columnProblem(column);
    if (problem !== null) return { problem };
  }
  return parts;
}
