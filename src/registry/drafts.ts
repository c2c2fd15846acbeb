/** The sections of a registry as read: what was wrong with them has been reported. */
import { readClock } from './clock-section.ts';
import { readDefaults } from './defaults.ts';
import { readFlat } from './flat.ts';
import { GRAMMAR } from './grammar.ts';
import { checkName } from './names.ts';
import type { PythonFunctions } from './python-functions.ts';
import type { Entry, Reader } from './reader.ts';
import { readService, type ServiceDraft } from './services.ts';
import { readSource, type SourceDraft } from './sources.ts';
import type { Registry } from './view.ts';
import { readView, type ViewDraft } from './views.ts';

/** Null sections could not be read. */
interface Sections {
  entities: Registry['entities'] | null;
  sources: SourceDraft[] | null;
  views: ViewDraft[] | null;
}

export interface Drafts extends Pick<Registry, 'project' | 'clock' | 'entities'> {
  sources: SourceDraft[];
  views: ViewDraft[];
  services: ServiceDraft[];
}

export function readDrafts(reader: Reader, functions: PythonFunctions): Drafts {
  const root = reader.root();
  const flat = isFlat(reader, root);
  const record = reader.record(root, flat ? GRAMMAR.flat : GRAMMAR.registry);
  const project = record?.get('project');
  const name = project && reader.text(project.value, "the project's name");
  if (project !== undefined && name != null) checkName(reader, project.value, name);

  const declared = readDeclared(reader, record);
  const { entities, sources, views } = flat
    ? readFlat(reader, record!, declared, functions)
    : { ...declared, views: readViews(reader, record, declared, functions) };
  const sourceNames = sources && new Set(sources.map((source) => source.name));
  const clock = readClock(reader, record?.get('clock'), sourceNames);
  const viewNames = views && new Set(views.map((view) => view.name));
  const noun = 'services, such as delay_model: { features: [ … ] }';
  const services = readSection(reader, record?.get('services'), noun)?.map((entry) =>
    readService(reader, entry, viewNames),
  );
  return {
    project: name ?? (flat ? 'default' : ''),
    clock,
    entities: entities ?? new Map(),
    sources: sources ?? [],
    views: views ?? [],
    services: services ?? [],
  };
}

/** Whether the registry has features of its own, and no views. */
function isFlat(reader: Reader, root: Entry): boolean {
  if (!reader.isMap(root.value)) return false;
  const keys = new Set(reader.entries(root.value, 'the keys of the registry')?.map((entry) => entry.name));
  return keys.has('features') && !keys.has('views');
}

function readDeclared(reader: Reader, record: Map<string, Entry> | null): Omit<Sections, 'views'> {
  const entityEntries = readSection(reader, record?.get('entities'), 'entities, such as airport: { description: … }');
  const entities = entityEntries && new Map(entityEntries.map((entry) => [entry.name, readEntity(reader, entry)]));
  const entityNames = entities && new Set(entities.keys());
  const sourceEntries = readSection(reader, record?.get('sources'), 'sources, such as departures: …');
  return { entities, sources: sourceEntries?.map((entry) => readSource(reader, entry, entityNames)) ?? null };
}

function readViews(
  reader: Reader,
  record: Map<string, Entry> | null,
  { entities, sources }: Omit<Sections, 'views'>,
  functions: PythonFunctions,
): ViewDraft[] | null {
  const entries = readSection(reader, record?.get('views'), 'views, such as airport_delay: …');
  const context = {
    entities: entities && new Set(entities.keys()),
    sources: sources && new Map(sources.map((source) => [source.name, source])),
    functions,
    defaults: readDefaults(reader, record?.get('defaults')),
  };
  return entries?.map((entry) => readView(reader, entry, context)) ?? null;
}

function readSection(reader: Reader, section: Entry | undefined, noun: string): Entry[] | null {
  const entries = section === undefined ? null : reader.entries(section.value, noun);
  if (section !== undefined && entries?.length === 0) reader.report(section.key, `${section.name} is empty; add one`);
  return entries;
}

function readEntity(reader: Reader, entry: Entry): { description: string } {
  checkName(reader, entry.key, entry.name);
  const description = reader.record(entry, GRAMMAR.entity)?.get('description');
  return { description: (description && reader.text(description.value, 'a sentence')) ?? '' };
}
