import { readChoice } from './choice.ts';
import { parseDuration } from './durations.ts';
import { DEFAULTS, FIELD_TYPE_SYNONYMS, FIELD_TYPES, GRAMMAR } from './grammar.ts';
import { keyProblems, parseTemplate } from './key-template.ts';
import { checkName, columnProblem } from './names.ts';
import type { Entry, Reader, Value } from './reader.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { FieldType, Source } from './view.ts';

const FIELD_TYPE = { noun: 'field type', known: FIELD_TYPES, synonyms: FIELD_TYPE_SYNONYMS };

/**
 * A source as read. What was wrong with it has been reported and stands here as null, so that what depends on it is
 * not called wrong as well.
 */
export interface SourceDraft {
  name: string;
  keys: Map<string, string[] | null> | null;
  timestamp: string | null;
  fields: Map<string, FieldType | null> | null;
  lateness: number | null;
  maxAhead: number | null;
  retention: number | null;
  history: number | null;
}

/** @param entities names of the declared entities; null where they could not be read */
export function readSource(reader: Reader, entry: Entry, entities: ReadonlySet<string> | null): SourceDraft {
  checkName(reader, entry.key, entry.name);
  const record = reader.record(entry, GRAMMAR.source);
  const fields = readFields(reader, record?.get('fields'), record !== null);
  const duration = (key: 'lateness' | 'max_ahead' | 'retention' | 'history'): number | null => {
    const item = record?.get(key);
    return item === undefined
      ? (parseDuration(DEFAULTS[key]) as number)
      : reader.duration(item.value, key === 'retention');
  };
  return {
    name: entry.name,
    keys: readKeys(reader, record?.get('keys'), entities, fields),
    timestamp: readTimestamp(reader, record?.get('timestamp'), fields),
    fields,
    lateness: duration('lateness'),
    maxAhead: duration('max_ahead'),
    retention: duration('retention'),
    history: duration('history'),
  };
}

/** Only for drafts without a reported problem. */
export function toSource(draft: SourceDraft): Source {
  return {
    name: draft.name,
    keys: [...draft.keys!].map(([entity, template]) => ({ entity, template: template! })),
    timestamp: draft.timestamp!,
    fields: [...draft.fields!].map(([name, type]) => ({ name, type: type! })),
    lateness: draft.lateness!,
    maxAhead: draft.maxAhead!,
    retention: draft.retention!,
    history: draft.history!,
  };
}

function readFields(reader: Reader, entry: Entry | undefined, readable: boolean): SourceDraft['fields'] {
  if (entry === undefined) return readable ? new Map() : null;
  const entries = reader.entries(entry.value, 'fields, such as delay: float');
  if (entries === null) return null;
  const fields = new Map<string, FieldType | null>();
  for (const { name, key, value } of entries) {
    const problem = columnProblem(name);
    if (problem !== null) reader.report(key, problem);
    fields.set(name, readChoice(reader, value, FIELD_TYPE));
  }
  return fields;
}

function readKeys(
  reader: Reader,
  entry: Entry | undefined,
  entities: ReadonlySet<string> | null,
  fields: SourceDraft['fields'],
): SourceDraft['keys'] {
  const entries = entry && reader.entries(entry.value, 'keys, such as airport: origin');
  if (entry === undefined || entries == null) return null;
  if (entries.length === 0) reader.report(entry.key, 'a source needs a key; write entity: column');
  const keys = new Map<string, string[] | null>();
  for (const { name, key, value } of entries) {
    if (entities !== null && !entities.has(name)) {
      const there = `; the entities are ${listOf(entities)}`;
      reader.report(key, `unknown entity ${quote(name)}${there}${didYouMean(name, entities)}`);
    }
    keys.set(name, readTemplate(reader, value, fields));
  }
  return keys;
}

function readTemplate(reader: Reader, value: Value, fields: SourceDraft['fields']): string[] | null {
  const text = reader.text(value, 'a column, or a template in quotes such as "{origin}-{destination}"');
  if (text === null) return null;
  const template = parseTemplate(text);
  if (!Array.isArray(template)) {
    reader.report(value, template.problem);
    return null;
  }
  for (const problem of fields === null ? [] : keyProblems(template, fields)) reader.report(value, problem);
  return template;
}

function readTimestamp(reader: Reader, entry: Entry | undefined, fields: SourceDraft['fields']): string | null {
  const text = entry && reader.text(entry.value, "the column that holds an event's time");
  if (entry === undefined || text == null) return null;
  const problem = columnProblem(text);
  if (problem !== null) reader.report(entry.value, problem);
  const type = fields?.get(text);
  if (type != null && type !== 'timestamp') {
    reader.report(entry.value, `column ${quote(text)} is a ${type}; declare it as a timestamp, or not as a field`);
  }
  return text;
}
