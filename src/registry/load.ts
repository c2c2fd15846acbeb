/** `features.yaml` → {@link Registry}. */
import { readFile, stat } from 'node:fs/promises';
import { LineCounter, parseDocument, type YAMLError } from 'yaml';
import { readClock } from './clock-section.ts';
import { compileService, compileVersion } from './compile.ts';
import { GRAMMAR, LIMITS } from './grammar.ts';
import { checkName } from './names.ts';
import { type Problem, Problems, RegistryError } from './problems.ts';
import { askPython, PythonFunctions, unasked } from './python-functions.ts';
import { type Entry, Reader } from './reader.ts';
import { joinService } from './service-view.ts';
import { readService, type ServiceDraft } from './services.ts';
import { readSource, type SourceDraft, toSource } from './sources.ts';
import { flattenVersions } from './versions.ts';
import type { Registry, View } from './view.ts';
import { readView, type ViewDraft } from './views.ts';

/**
 * Reads and checks the registry at `path`.
 *
 * @param python the interpreter that is asked of Python features, as the option `python`
 * @throws RegistryError with everything that is wrong with it, also where there is no such file
 */
export async function loadRegistry(path: string, { python = '' }: { python?: string } = {}): Promise<Registry> {
  const text = await readText(path);
  const functions = new PythonFunctions();
  return (
    readRegistry(text, path, functions) ?? readRegistry(text, path, await askPython(functions.asked, path, python))!
  );
}

/**
 * Checks the text of a registry.
 *
 * @param path the file's name, for messages
 * @throws RegistryError with everything that is wrong with it; Python features are, for their modules cannot be found
 */
export function parseRegistry(text: string, path: string): Registry {
  const functions = new PythonFunctions();
  return readRegistry(text, path, functions) ?? readRegistry(text, path, unasked(functions.asked))!;
}

/** @returns null where `functions` lacks answers that are needed */
function readRegistry(text: string, path: string, functions: PythonFunctions): Registry | null {
  const lines = new LineCounter();
  const problems = new Problems(path, lines);
  // Keys are checked for being unique by the reader: the parser's own check takes time that grows with their square.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  reportSyntax([...document.errors, ...document.warnings], problems);
  problems.throwIfAny();
  if (document.contents === null) throw whole(path, 'the file is empty; write a registry, see docs/FEATURES.md');
  const reader = new Reader(document, problems);
  const drafts = readDrafts(reader, functions);
  if (functions.asked.size > 0) return null;
  const flat = drafts.views.map((view) => ({ view, versions: flattenVersions(reader, view) }));
  const flatViews = new Map(flat.map((one) => [one.view.name, one]));
  const services = drafts.services.map((service) => joinService(reader, service, flatViews));
  problems.throwIfAny();

  const sources = new Map(drafts.sources.map((source) => [source.name, toSource(source)]));
  const views = flat.map(({ view, versions }): [string, View[]] => [
    view.name,
    versions.map((version) => compileVersion(view, version, sources)),
  ]);
  return {
    project: drafts.project,
    clock: drafts.clock,
    entities: drafts.entities,
    sources,
    views: new Map(views),
    services: new Map(services.map((service) => [service!.options.name, compileService(service!, sources)])),
    path,
  };
}

interface Drafts extends Pick<Registry, 'project' | 'clock' | 'entities'> {
  sources: SourceDraft[];
  views: ViewDraft[];
  services: ServiceDraft[];
}

function readDrafts(reader: Reader, functions: PythonFunctions): Drafts {
  const record = reader.record(reader.root(), GRAMMAR.registry);
  const project = record?.get('project');
  const name = project && reader.text(project.value, "the project's name");
  if (project !== undefined && name != null) checkName(reader, project.value, name);

  const entityEntries = readSection(reader, record?.get('entities'), 'entities, such as airport: { description: … }');
  const entities = new Map(entityEntries?.map((entry) => [entry.name, readEntity(reader, entry)]));
  const entityNames = entityEntries && new Set(entities.keys());

  const sourceEntries = readSection(reader, record?.get('sources'), 'sources, such as departures: …');
  const sources = sourceEntries?.map((entry) => readSource(reader, entry, entityNames));
  const byName = sources === undefined ? null : new Map(sources.map((source) => [source.name, source]));
  const clock = readClock(reader, record?.get('clock'), byName && new Set(byName.keys()));

  const viewEntries = readSection(reader, record?.get('views'), 'views, such as airport_delay: …');
  const views = viewEntries?.map((entry) =>
    readView(reader, entry, { entities: entityNames, sources: byName, functions }),
  );
  const viewNames = views === undefined ? null : new Set(views.map((view) => view.name));
  const serviceEntries = readSection(
    reader,
    record?.get('services'),
    'services, such as delay_model: { features: [ … ] }',
  );
  const services = serviceEntries?.map((entry) => readService(reader, entry, viewNames));
  return { project: name ?? '', clock, entities, sources: sources ?? [], views: views ?? [], services: services ?? [] };
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

/** After a first slip the parser often stumbles again at once: what is shown is the first of each line, and not many. */
const SYNTAX_PROBLEMS_MAX = 20;

function reportSyntax(errors: YAMLError[], problems: Problems): void {
  const deep = errors.find((error) => error.code === 'RESOURCE_EXHAUSTION');
  for (const error of deep === undefined ? errors.slice(0, SYNTAX_PROBLEMS_MAX) : [deep]) {
    const hint = error === deep ? 'the file nests too deeply; a registry has six levels' : syntaxHint(error);
    problems.report({ offset: error.pos[0], path: '' }, hint);
  }
}

function syntaxHint({ code, message }: YAMLError): string {
  const sentence = `the file is not YAML: ${message[0]!.toLowerCase()}${message.slice(1)}`;
  if (code === 'TAB_AS_INDENT') return `${sentence}; use spaces`;
  if (code === 'TAG_RESOLVE_FAILED') return `${sentence}; registries have no tags, leave it out`;
  if (code === 'MULTIPLE_DOCS') return 'the file holds a second document after ---; a registry is one document';
  return `${sentence}; look at the indentation, and put texts with : # { } [ ] in quotes`;
}

const whole = (file: string, message: string): RegistryError =>
  new RegistryError([{ file, line: 1, column: 1, path: '', message } satisfies Problem]);

async function readText(path: string): Promise<string> {
  const size = await stat(path).then(
    (stats) => {
      if (stats.isDirectory()) throw whole(path, 'this is a folder; name the file in it, such as features.yaml');
      if (!stats.isFile()) throw whole(path, 'this is no regular file; name a YAML file');
      return stats.size;
    },
    (error: NodeJS.ErrnoException) => {
      throw whole(path, error.code === 'ENOENT' ? 'there is no such file; check the path' : error.message);
    },
  );
  if (size > LIMITS.file_bytes) {
    throw whole(path, `the file has ${size} bytes, a registry may have ${LIMITS.file_bytes}; split it`);
  }
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw whole(path, `the file cannot be read (${error.code}); check its permissions`);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw whole(path, 'the file is not UTF-8 text; save it as UTF-8');
  }
}
