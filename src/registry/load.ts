/** `features.yaml` → {@link Registry}. */
import { readFile, stat } from 'node:fs/promises';
import { LineCounter, parseDocument, type YAMLError } from 'yaml';
import { compileService, compileVersion } from './compile.ts';
import { readDrafts } from './drafts.ts';
import { LIMITS } from './grammar.ts';
import { type Problem, Problems, RegistryError } from './problems.ts';
import { askPython, PythonFunctions, unasked } from './python-functions.ts';
import { Reader } from './reader.ts';
import { joinService } from './service-view.ts';
import { toSource } from './sources.ts';
import { flattenVersions } from './versions.ts';
import type { Registry, View } from './view.ts';

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

const unreadable = ({ code }: NodeJS.ErrnoException): string =>
  `the file cannot be read (${code}); check its path and permissions`;

async function readText(path: string): Promise<string> {
  const size = await stat(path).then(
    (stats) => {
      if (stats.isDirectory()) throw whole(path, 'this is a folder; name the file in it, such as features.yaml');
      if (!stats.isFile()) throw whole(path, 'this is no regular file; name a YAML file');
      return stats.size;
    },
    (error: NodeJS.ErrnoException) => {
      throw whole(path, error.code === 'ENOENT' ? 'there is no such file; check the path' : unreadable(error));
    },
  );
  if (size > LIMITS.file_bytes) {
    throw whole(path, `the file has ${size} bytes, a registry may have ${LIMITS.file_bytes}; split it`);
  }
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw whole(path, unreadable(error));
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw whole(path, 'the file is not UTF-8 text; save it as UTF-8');
  }
}
