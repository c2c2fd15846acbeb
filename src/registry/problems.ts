import type { LineCounter } from 'yaml';

/** One thing wrong in a registry file. Lines and columns count from 1; what concerns the whole file stands at 1:1. */
export interface Problem {
  file: string;
  line: number;
  column: number;
  /** Where in the file's structure, as keys with dots: `views.airport_delay.ttl`; empty for the file itself. */
  path: string;
  /** What was found, what was expected and what to do. */
  message: string;
}

const formatProblem = (problem: Problem): string =>
  `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;

/** Holds everything that is wrong with a registry file; its text is one `file:line:column: message` a line. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** A place in the file: an offset into its text and the path of keys that leads there. */
export interface Place {
  offset: number;
  path: string;
}

/** A file with more problems than this is most likely no registry at all. */
export const PROBLEMS_MAX = 1000;

/** Gathers problems while the file is read on, so that one run tells them all. */
export class Problems {
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #found: Problem[] = [];
  readonly #seen = new Set<string>();

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  /** The same message at the same place counts once: several versions may inherit one line. */
  report(place: Place, message: string): void {
    const key = `${place.offset} ${message}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const { line, col } = this.#lines.linePos(place.offset);
    const at = { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1) };
    this.#found.push({ ...at, path: place.path, message });
    if (this.#found.length < PROBLEMS_MAX) return;
    this.#found.push({ ...at, path: place.path, message: 'too many problems; those after this one are not shown' });
    this.throwIfAny();
  }

  /** @throws RegistryError with all problems so far, in the order of the file */
  throwIfAny(): void {
    if (this.#found.length === 0) return;
    throw new RegistryError(this.#found.toSorted((a, b) => a.line - b.line || a.column - b.column));
  }
}
