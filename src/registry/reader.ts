import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Node, type Scalar, visit } from 'yaml';
import type { Micros } from '../clock.ts';
import { DURATION_MAX, formatDuration, parseDuration } from './durations.ts';
import { type Grammar, KEY_SYNONYMS, LIMITS } from './grammar.ts';
import type { Place, Problems } from './problems.ts';
import { didYouMean, listOf, quote } from './suggest.ts';

/** A value in the file; `node` is null where the key has none. */
export interface Value extends Place {
  node: Node | null;
}

/** A key with its value. */
export interface Entry {
  name: string;
  key: Place;
  value: Value;
}

/**
 * Typed access to a YAML tree. Each method returns what was asked for, or reports a problem at the value's place and
 * returns null, so that the caller can go on with the rest of the file.
 */
export class Reader {
  readonly #problems: Problems;
  readonly #targets = new Map<Alias, Node>();
  /** Offsets of aliases without an anchor: one problem is enough. */
  readonly #dangling = new Set<number>();
  readonly #root: Node | null;
  #values = 0;

  constructor(document: Document, problems: Problems) {
    this.#problems = problems;
    this.#root = document.contents;
    const anchors = new Map<string, Node>();
    visit(document, {
      Node: (_, node) => {
        if (!isAlias(node)) {
          if (node.anchor !== undefined) anchors.set(node.anchor, node);
          return;
        }
        const target = anchors.get(node.source);
        if (target !== undefined) this.#targets.set(node, target);
        else this.#reportDangling(node);
      },
    });
  }

  report(at: Place, message: string): void {
    if (!this.#dangling.has(at.offset)) this.#problems.report(at, message);
  }

  root(): Entry {
    const at = { offset: 0, path: '' };
    return { name: '', key: at, value: this.#value(this.#root, at) };
  }

  isMap(value: Value): boolean {
    return isMap(value.node);
  }

  /** A map with keys of the writer's own choice, in the order of the file; `noun` as in "a map of sources". */
  entries(value: Value, noun: string): Entry[] | null {
    if (!isMap(value.node)) {
      this.report(value, `found ${found(value)}, expected a map of ${noun}`);
      return null;
    }
    const entries = new Map<string, Entry>();
    for (const pair of value.node.items) {
      const entry = this.#entry(pair.key, pair.value as Node | null, value);
      if (entry === null) continue;
      const first = entries.get(entry.name);
      if (first === undefined) entries.set(entry.name, entry);
      else this.report(entry.key, `${quote(entry.name)} is here a second time; keep one of the two`);
    }
    return [...entries.values()];
  }

  /** A map whose keys the grammar names. */
  record(entry: Entry, grammar: Grammar): Map<string, Entry> | null {
    const entries = isNull(entry.value.node) ? [] : this.entries(entry.value, `the keys of ${grammar.noun}`);
    if (entries === null) return null;
    const known = [...grammar.required, ...grammar.optional];
    const record = new Map<string, Entry>();
    for (const item of entries) {
      if (known.includes(item.name)) record.set(item.name, item);
      else this.report(item.key, unknownKey(item.name, grammar, known));
    }
    for (const name of grammar.required) {
      if (record.has(name) || entries.some((item) => closestKey(item.name, known, record) === name)) continue;
      this.report(entry.key, `${grammar.noun} needs ${quote(name)}, and it is not here; add it`);
    }
    return record;
  }

  list(value: Value, noun: string, such = '[a, b]'): Value[] | null {
    if (isSeq(value.node)) return value.node.items.map((item) => this.#value(item as Node | null, value));
    this.report(value, `found ${found(value)}, expected a list of ${noun}, such as ${such}`);
    return null;
  }

  /** @param expected as in "a source's name" */
  text(value: Value, expected: string): string | null {
    const scalar = isScalar(value.node) ? value.node.value : null;
    if (typeof scalar === 'string' && scalar.trim() !== '') return scalar;
    const fix = typeof scalar === 'number' || typeof scalar === 'boolean' ? '; put it in quotes if it is one' : '';
    this.report(value, `found ${found(value)}, expected ${expected}${fix}`);
    return null;
  }

  boolean(value: Value): boolean | null {
    if (isScalar(value.node) && typeof value.node.value === 'boolean') return value.node.value;
    this.report(value, `found ${found(value)}, expected true or false`);
    return null;
  }

  number(value: Value, min: number, max: number): number | null {
    const number = isScalar(value.node) ? value.node.value : null;
    if (typeof number === 'number' && number >= min && number <= max) return number;
    this.report(value, `found ${found(value)}, expected a number from ${min} to ${max}`);
    return null;
  }

  whole(value: Value, min: number, max: number): number | null {
    const number = isScalar(value.node) ? value.node.value : null;
    if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number;
    this.report(value, `found ${found(value)}, expected a whole number from ${min} to ${max}`);
    return null;
  }

  /** Microseconds. `positive`: 0 will not do. */
  duration(value: Value, positive: boolean): Micros | null {
    const scalar = isScalar(value.node) ? value.node : null;
    const isText = scalar !== null && (typeof scalar.value === 'string' || typeof scalar.value === 'number');
    const parsed = parseDuration(isText ? sourceText(scalar) : '');
    if (typeof parsed !== 'number') this.report(value, `found ${found(value)}, ${parsed.problem}`);
    else if (parsed === 0 && positive) {
      this.report(value, `found ${found(value)}, expected a duration from 1ms to ${formatDuration(DURATION_MAX)}`);
    } else return parsed;
    return null;
  }

  /**
   * Where the text of a scalar begins in the file, so that a place inside the text can be told; null where the file
   * spells it otherwise than it reads (escapes, several lines).
   */
  textStart(value: Value, text: string): number | null {
    if (!isScalar(value.node) || value.node.range == null) return null;
    const { type, range } = value.node;
    if (text.includes('\n')) return null;
    if (type === 'PLAIN') return range[1] - range[0] === text.length ? range[0] : null;
    const quoted = type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE';
    return quoted && range[1] - range[0] === text.length + 2 ? range[0] + 1 : null;
  }

  /** Counts values against the limit, so that a small file cannot stand for a huge one. */
  spend(values: number, at: Place): void {
    this.#values += values;
    if (this.#values <= LIMITS.values) return;
    const most = `more than ${LIMITS.values} values, aliases and extends followed`;
    this.report(at, `the file holds ${most}; use fewer`);
    this.#problems.throwIfAny();
  }

  #reportDangling(alias: Alias): void {
    const at = place(alias, 0, '');
    this.report(at, `no anchor ${quote(`&${alias.source}`)} stands before this alias; add it`);
    this.#dangling.add(at.offset);
  }

  #entry(key: unknown, node: Node | null, parent: Value): Entry | null {
    const name = isScalar(key) ? sourceText(key) : '';
    const at = place(key as Node | null, parent.offset, parent.path);
    if (name === '') {
      this.report(at, 'found a key that is no plain text, expected a name; write it as name: value');
      return null;
    }
    const inner = { offset: at.offset, path: parent.path === '' ? name : `${parent.path}.${name}` };
    return { name, key: inner, value: this.#value(node, inner) };
  }

  #value(node: Node | null, at: Place): Value {
    this.spend(1, at);
    if (!isAlias(node)) return { node, ...place(node, at.offset, at.path) };
    return { ...place(node, at.offset, at.path), node: this.#targets.get(node) ?? null };
  }
}

const isNull = (node: Node | null): boolean => node === null || (isScalar(node) && node.value === null);

const sourceText = (scalar: Scalar): string =>
  typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? String(scalar.value));

const place = (node: Node | null, offset: number, path: string): Place => ({
  offset: node?.range?.[0] ?? offset,
  path,
});

function found({ node }: Value): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'nothing';
  if (node.value === '') return 'an empty text';
  return typeof node.value === 'string' ? quote(node.value) : sourceText(node).slice(0, 64);
}

function unknownKey(name: string, grammar: Grammar, known: string[]): string {
  if (grammar.later.includes(name)) {
    return `${quote(name)} in ${grammar.noun} is not offered by this version of Headrace; leave it out`;
  }
  if (name === '<<') return '"<<" (merging maps) is not offered; repeat the keys, or use an alias for a whole value';
  if (known.includes('expression') && name.includes(')')) {
    return `${quote(name)} stands outside the expression: within { } a comma ends it; put the expression in quotes`;
  }
  const place = grammar.elsewhere?.[name];
  if (place !== undefined) return `found ${quote(name)} in ${grammar.noun}: ${place}`;
  const meant = synonym(name, known);
  const hint = meant === null ? didYouMean(name, known) : `; write ${meant}`;
  return `unknown key ${quote(name)}; ${grammar.noun} takes ${listOf(known)}${hint}`;
}

const synonym = (name: string, known: string[]): string | null =>
  Object.hasOwn(KEY_SYNONYMS, name) && known.includes(KEY_SYNONYMS[name]!) ? KEY_SYNONYMS[name]! : null;

/** The key that a misspelt one stands for, so that it is not called missing as well. */
function closestKey(name: string, known: string[], record: Map<string, Entry>): string | null {
  if (known.includes(name)) return null;
  const free = known.filter((key) => !record.has(key));
  return synonym(name, free) ?? free.find((key) => didYouMean(name, [key]) !== '') ?? null;
}
