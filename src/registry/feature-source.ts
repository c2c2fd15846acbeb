/** Which source, and which of its fields, a feature reads. */
import type { FeatureContext } from './declared.ts';
import type { Entry, Reader, Value } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { FieldType } from './view.ts';

/**
 * The source that `item` names, or the only one with the view's entity where there is no `item`.
 *
 * @param entry the feature
 */
export function readSourceOf(
  reader: Reader,
  entry: Entry,
  item: Entry | undefined,
  { entity, sources }: FeatureContext,
): SourceDraft | null {
  const name = item && reader.text(item.value, "a source's name");
  if (sources === null || name === null) return null;
  // Where the entity or a source's keys are wrong themselves, any source may be meant.
  const mayFit = (source: SourceDraft): boolean => entity === null || source.keys === null || source.keys.has(entity);
  const fitting = [...sources.values()].filter(mayFit);
  if (item === undefined || name === undefined) {
    if (fitting.length === 1) return fitting[0]!;
    if (fitting.length > 1 && entity !== null) {
      const which = listOf(fitting.map((source) => source.name));
      reader.report(entry.key, `${entity} has events from several sources; add source: and one of ${which}`);
    }
    return null;
  }
  const source = sources.get(name);
  if (source === undefined) {
    const there = `; the sources are ${listOf(sources.keys())}`;
    reader.report(item.value, `unknown source ${quote(name)}${there}${didYouMean(name, sources.keys())}`);
    return null;
  }
  if (fitting.includes(source)) return source;
  const keys = listOf(source.keys?.keys() ?? []);
  reader.report(
    item.value,
    `source ${quote(name)} has no key for ${entity}; it has ${keys}: add ${entity} to its keys`,
  );
  return null;
}

/** Null where there is no such field, or where its declaration is wrong itself. */
export function readField(
  reader: Reader,
  value: Value,
  source: SourceDraft | null,
): { name: string; type: FieldType } | null {
  const name = reader.text(value, "a field's name");
  if (name === null || source === null || source.fields === null) return null;
  const type = source.fields.get(name);
  if (type === undefined) reader.report(value, unknownField(name, source));
  return type == null ? null : { name, type };
}

export function unknownField(name: string, source: SourceDraft): string {
  const guess = didYouMean(name, source.fields?.keys() ?? []);
  return `source ${quote(source.name)} has no field ${quote(name)}${fieldsOf(source)}${guess}`;
}

/** `; the fields of … are …`, or nothing where they are not known. */
export function fieldsOf(source: SourceDraft | null): string {
  if (source?.fields == null) return '';
  if (source.fields.size === 0) {
    return `; ${source.name} has no fields: declare one under its fields, or in a file without sources as defaults: { field: … }`;
  }
  return `; the fields of ${source.name} are ${listOf(source.fields.keys())}`;
}
