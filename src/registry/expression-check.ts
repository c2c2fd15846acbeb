import type { Syntax } from './expression.ts';
import { type Kind, OPERATORS } from './grammar.ts';
import type { OutputType } from './view.ts';

/** Something wrong at an offset of the expression's text. */
export interface Complaint {
  at: number;
  message: string;
}

/** What a feature's output is inside an expression; null: it cannot stand in one. */
export function kindOf(output: OutputType): Kind | null {
  if (output === 'float64' || output === 'int64') return 'number';
  return output === 'bool' ? 'bool' : null;
}

/**
 * Checks the kinds of all parts. Numbers and truth values never pass for each other.
 *
 * @param outputOf the output of a feature; undefined where it is wrong itself, and everything made of it unknown
 * @returns the kind of the whole, or null where it cannot be told
 */
export function checkKinds(
  syntax: Syntax,
  outputOf: (name: string) => OutputType | undefined,
  complain: (complaint: Complaint) => void,
): Kind | null {
  if (syntax.kind === 'number') return 'number';
  if (syntax.kind === 'ref') {
    const output = outputOf(syntax.name);
    if (output === undefined) return null;
    const kind = kindOf(output);
    if (kind !== null) return kind;
    const sentence = `"${syntax.name}" is a ${output}, and expressions take numbers and true or false only`;
    complain({ at: syntax.at, message: `${sentence}; leave it out` });
    return null;
  }
  const kinds = syntax.operands.map((operand) => checkKinds(operand, outputOf, complain));
  const spec = OPERATORS[syntax.operator];
  let same: Kind | null = null;
  kinds.forEach((kind, i) => {
    const wanted = spec.arguments[Math.min(i, spec.arguments.length - 1)]!;
    const expected = wanted === 'same' ? same : wanted;
    if (wanted === 'same') same ??= kind;
    if (kind === null || expected === null || kind === expected) return;
    complain({ at: syntax.operands[i]!.at, message: mismatch(syntax.operator, kind, wanted === 'same') });
  });
  return spec.result === 'same' ? same : spec.result;
}

function mismatch(operator: string, kind: Kind, alike: boolean): string {
  const name = operator === 'neg' ? '-' : operator;
  if (alike) return `${name} takes values of one kind, found a number and a true or false; use where(condition, 1, 0)`;
  return kind === 'bool'
    ? `${name} takes a number here, found true or false; make a number of it by where(condition, 1, 0)`
    : `${name} takes true or false here, found a number; compare it, as in x > 0`;
}
