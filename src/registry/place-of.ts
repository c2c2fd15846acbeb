/** Where things stand in a registry file that has been read already: for what is found wrong only later. */
import { isMap, isScalar, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { Problem } from './problems.ts';

/** Finds places in one text. */
export class Places {
  readonly #file: string;
  readonly #lines = new LineCounter();
  readonly #root: unknown;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#root = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: false }).contents;
  }

  /** A problem at the key that the path of keys leads to; where it leads nowhere, at the last key that is there. */
  problem(path: readonly string[], message: string): Problem {
    let node = this.#root;
    let offset = 0;
    // A flat registry has its one version under `features`.
    const isFlat = path[0] === 'views' && isMap(node) && !node.items.some((item) => isNamed(item, 'views'));
    for (const name of isFlat ? ['features'] : path) {
      const pair = isMap(node) ? node.items.find((item) => isNamed(item, name)) : undefined;
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    }
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1), path: path.join('.'), message };
  }
}

const isNamed = ({ key }: Pair, name: string): boolean => isScalar(key) && (key.source ?? String(key.value)) === name;
