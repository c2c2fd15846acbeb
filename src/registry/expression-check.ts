import type { Syntax } from './expression.ts';
import { type Kind, OPERATORS } from './grammar.ts';
import type { FieldType, OutputType } from './view.ts';

/** Something wrong at an offset of the expression's text. */
export interface Complaint {
  at: number;
  message: string;
}

type Complain = (complaint: Complaint) => void;
type Operation = Syntax & { kind: 'operation' };

/** What a value is inside an expression. */
export const KINDS = {
  float64: 'number',
  int64: 'number',
  bool: 'bool',
  string: 'text',
  timestamp: 'time',
} as const satisfies Record<OutputType, Kind>;

/** As {@link KINDS}, of fields and inputs. */
export const FIELD_KINDS = {
  float: 'number',
  int: 'number',
  bool: 'bool',
  category: 'text',
  timestamp: 'time',
} as const satisfies Record<FieldType, Kind>;

const NOUNS = {
  number: 'a number',
  bool: 'true or false',
  text: 'a text',
  time: 'a time',
} as const satisfies Record<Kind, string>;

/**
 * Checks the kinds of all parts: none passes for another. Texts stand beside == and != only; times only inside the
 * functions of time.
 *
 * @param kindOf the kind of what a name stands for; null where it is wrong itself, and everything made of it unknown
 * @param ofEvents names are the fields of a source: a text is a code of its field, so that no two fields can be compared, and
 * there is no time to measure from
 * @returns the kind of the whole, or null where it cannot be told
 */
export function checkKinds(
  syntax: Syntax,
  kindOf: (name: string) => Kind | null,
  complain: Complain,
  ofEvents = false,
): Kind | null {
  if (!('operands' in syntax) && syntax.kind !== 'name') return syntax.kind;
  if (syntax.kind === 'name') return kindOf(syntax.name);
  const kinds = syntax.operands.map((operand) => checkKinds(operand, kindOf, complain, ofEvents));
  if (syntax.kind === 'operation') return checkOperation(syntax, kinds, complain, ofEvents);
  const name = syntax.kind === 'calendar' ? syntax.function : syntax.kind;
  const kind = kinds[0] ?? 'time';
  if (kind !== 'time') complain({ at: syntax.operands[0].at, message: `${name} takes a time, found ${NOUNS[kind]}` });
  return name === 'is_weekend' ? 'bool' : 'number';
}

function checkOperation(syntax: Operation, kinds: (Kind | null)[], complain: Complain, ofEvents: boolean): Kind | null {
  const { operator, operands } = syntax;
  if ((operator === '==' || operator === '!=') && kinds.includes('text')) {
    checkTexts(syntax, kinds, complain, ofEvents);
    return 'bool';
  }
  const spec = OPERATORS[operator];
  let same: Kind | null = null;
  kinds.forEach((kind, i) => {
    const wanted = spec.arguments[Math.min(i, spec.arguments.length - 1)]!;
    const expected = wanted === 'same' ? same : wanted;
    if (wanted === 'same' && (kind === 'number' || kind === 'bool')) same ??= kind;
    const message =
      kind === null ? null : mismatch(operator, operands[i]!, kind, { expected, alike: wanted === 'same', ofEvents });
    if (message !== null) complain({ at: operands[i]!.at, message });
  });
  return spec.result === 'same' ? same : spec.result;
}

function checkTexts(
  { operator, operands, at }: Operation,
  kinds: (Kind | null)[],
  complain: Complain,
  ofEvents: boolean,
): void {
  const other = kinds.findIndex((kind) => kind !== 'text');
  const kind = kinds[other];
  if (kind != null) {
    const message = `${operator} compares two of a kind, found a text and ${NOUNS[kind]}; put the other in quotes too`;
    complain({ at: operands[other]!.at, message });
  } else if (ofEvents && other === -1 && operands.every((operand) => operand.kind === 'name')) {
    const message = `${operator} compares a text of an event with one in quotes, found two names; write x ${operator} 'abc'`;
    complain({ at, message });
  }
}

interface Wanted {
  /** Null: a number, or true or false. */
  expected: Kind | null;
  alike: boolean;
  ofEvents: boolean;
}

function mismatch(operator: string, operand: Syntax, kind: Kind, wanted: Wanted): string | null {
  const { expected, alike, ofEvents } = wanted;
  const name = operator === 'neg' ? '-' : operator;
  if (kind === 'text') {
    const isNumber = operand.kind === 'text' && operand.value.trim() !== '' && Number.isFinite(Number(operand.value));
    return `${name} takes no text; ${isNumber ? `write ${operand.value} without quotes` : "compare it, as in x == 'abc'"}`;
  }
  if (kind === 'time') {
    return `${name} takes no time; make a number of it, as in ${ofEvents ? '' : 'time_since(x) or '}hour_of_day(x)`;
  }
  if (expected === null || kind === expected) return null;
  if (alike) return `${name} takes values of one kind, found a number and a true or false; use where(condition, 1, 0)`;
  return kind === 'bool'
    ? `${name} takes a number here, found true or false; make a number of it by where(condition, 1, 0)`
    : `${name} takes true or false here, found a number; compare it, as in x > 0`;
}
