import type { ExpressionDraft } from './declared.ts';
import { namesIn, type Syntax, toExpression } from './expression.ts';
import { type Complaint, checkKinds, FIELD_KINDS } from './expression-check.ts';
import { unknownField } from './feature-source.ts';
import type { Kind } from './grammar.ts';
import { readSyntax } from './read-expression.ts';
import type { Entry, Reader } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import type { Expression } from './view.ts';

/**
 * A condition on the events of a source: names are its fields, and the source's timestamp column is the event's time,
 * which calendar functions take where they are given none.
 *
 * @returns undefined where there is none, null where a problem was reported
 */
export function readWhere(
  reader: Reader,
  item: Entry | undefined,
  source: SourceDraft | null,
): Expression | undefined | null {
  if (item === undefined) return undefined;
  const draft = readSyntax(reader, item.value, 'where', "amount > 100 and status == 'declined'");
  if (draft === null || source === null || source.fields === null) return null;
  return checkWhere(reader, draft, source);
}

function checkWhere(reader: Reader, { syntax, placeOf }: ExpressionDraft, source: SourceDraft): Expression | null {
  const complaints: Complaint[] = [];
  const fields = source.fields!;
  for (const { name, at } of namesIn(syntax)) {
    if (name === source.timestamp || fields.has(name)) continue;
    const message = unknownField(name, source);
    complaints.push({ at, message: message.endsWith('?') ? message : `${message}; a text stands in quotes` });
  }
  for (const at of requestTimes(syntax)) {
    const message = "where knows no request, and time_since ends at one's time; compare fields of the event";
    complaints.push({ at, message });
  }
  const kindOf = (name: string): Kind | null => {
    if (name === source.timestamp) return 'time';
    const type = fields.get(name);
    return type == null ? null : FIELD_KINDS[type];
  };
  const kind = checkKinds(syntax, kindOf, (complaint) => complaints.push(complaint), true);
  if (kind !== null && kind !== 'bool') {
    complaints.push({ at: 0, message: 'where must be true or false of an event; compare, as in amount > 100' });
  }
  if (kind === 'bool' && isConstant(syntax)) {
    complaints.push({ at: 0, message: 'where is the same for every event; name a field' });
  }
  for (const { at, message } of complaints) {
    reader.report(placeOf(at), `${message} (character ${at + 1} of where)`);
  }
  if (complaints.length > 0 || kind === null) return null;
  return toExpression(syntax, ['time'], (name) => (name === source.timestamp ? ['time'] : ['field', name]));
}

/** The places of `time_since`. */
function requestTimes(syntax: Syntax): number[] {
  const own = syntax.kind === 'time_since' ? [syntax.at] : [];
  return 'operands' in syntax ? [...own, ...syntax.operands.flatMap(requestTimes)] : own;
}

function isConstant(syntax: Syntax): boolean {
  if (syntax.kind === 'name' || syntax.kind === 'time') return false;
  return !('operands' in syntax) || syntax.operands.every(isConstant);
}
