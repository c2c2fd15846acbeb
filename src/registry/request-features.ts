/** What a view's requests bring along, and the features that depend on it. */
import { readChoice } from './choice.ts';
import type { Declared, ExpressionDraft, FeatureRecord } from './declared.ts';
import type { Syntax } from './expression.ts';
import { FIELD_TYPE_SYNONYMS, FIELD_TYPES, REQUEST_FUNCTIONS } from './grammar.ts';
import { checkFeatureName } from './names.ts';
import { readSyntax } from './read-expression.ts';
import type { Entry, Reader } from './reader.ts';
import { zoneProblem } from './time-zone.ts';
import type { FieldType } from './view.ts';

/** By name; null where the type is wrong. */
export type Inputs = ReadonlyMap<string, FieldType | null>;

export function readInputs(reader: Reader, entry: Entry | undefined): Inputs {
  const entries = entry && reader.entries(entry.value, 'inputs, such as amount: float');
  if (entries?.length === 0) reader.report(entry!.key, 'found no input; name one, such as amount: float');
  const type = { noun: 'type', known: FIELD_TYPES, synonyms: FIELD_TYPE_SYNONYMS };
  return new Map(
    entries?.map((item) => {
      checkFeatureName(reader, item);
      return [item.name, readChoice(reader, item.value, type)];
    }),
  );
}

/** A feature of `type: request`: an expression, or a function of a time. */
export function readRequest(reader: Reader, entry: Entry, record: FeatureRecord): Declared[] | null {
  const expression = record.get('expression');
  const draft = expression === undefined ? readCall(reader, entry, record) : readText(reader, expression, record);
  return draft && [{ suffix: '', body: draft }];
}

function readText(reader: Reader, expression: Entry, record: FeatureRecord): ExpressionDraft | null {
  for (const key of ['function', 'of', 'timezone']) {
    const item = record.get(key);
    if (item !== undefined) reader.report(item.key, `found ${key} beside expression; keep one of the two`);
  }
  const draft = readSyntax(reader, expression.value, 'the expression', 'amount / amount_mean_7d');
  return draft && { ...draft, type: 'request' };
}

function readCall(reader: Reader, entry: Entry, record: FeatureRecord): ExpressionDraft | null {
  const item = record.get('function');
  if (item === undefined) {
    reader.report(entry.key, 'a request feature needs a function or an expression, and there is none; add one');
    return null;
  }
  const name = readChoice(reader, item.value, { noun: 'function', known: REQUEST_FUNCTIONS });
  const of = record.get('of');
  const time = of && reader.text(of.value, 'an input or a feature that is a timestamp');
  const zone = readZone(reader, record.get('timezone'));
  if (name === null || time === null || zone === null) return null;
  const operand: Syntax =
    time === undefined ? { kind: 'time', at: 0, depth: 1 } : { kind: 'name', at: 0, depth: 1, name: time };
  const base = { at: 0, depth: 2, operands: [operand] as [Syntax] };
  const keyed = { type: 'request', keyed: true, placeOf: () => (of ?? item).value } as const;
  if (name !== 'time_since') {
    return { ...keyed, syntax: { kind: 'calendar', function: name, zone: zone ?? 'UTC', ...base } };
  }
  if (zone !== undefined) reader.report(record.get('timezone')!.key, 'time_since needs no time zone; leave it out');
  if (time !== undefined) return { ...keyed, syntax: { kind: 'time_since', ...base } };
  reader.report(
    entry.key,
    'time_since needs of, and it is not here; add it and a timestamp, such as of: order_last_at',
  );
  return null;
}

function readZone(reader: Reader, entry: Entry | undefined): string | undefined | null {
  const zone = entry && reader.text(entry.value, 'an IANA time zone, such as Europe/Paris');
  if (zone == null) return zone;
  const problem = zoneProblem(zone);
  if (problem !== null) reader.report(entry!.value, problem);
  return problem === null ? zone : null;
}
