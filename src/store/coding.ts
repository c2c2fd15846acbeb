/** Codes of the log's dictionaries: the log's own copy with its way back, and a batch's column held against it. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { HeadraceError } from '../errors.ts';
import type { CodedColumn, DictionaryDelta } from './log-row.ts';
import { TextCodes } from './text-codes.ts';

/** One append-only dictionary. Values past `durable` belong to the transaction under way. */
class CodeTable {
  readonly name: string;
  readonly #codes: TextCodes;
  durable: number;

  constructor(name: string, values: string[]) {
    this.name = name;
    this.#codes = new TextCodes(values);
    this.durable = values.length;
  }

  get values(): readonly string[] {
    return this.#codes.values;
  }

  codeOf(value: string): number | undefined {
    const code = this.#codes.codeOf(value);
    return code < 0 ? undefined : code;
  }

  /** The code of a value, given now where it has none. */
  give(value: string): number {
    return this.#codes.give(value);
  }

  rollback(): void {
    this.#codes.truncate(this.durable);
  }
}

export type { CodeTable };

/** All dictionaries of the log. */
export class CodeTables {
  readonly #insert: StatementSync;
  readonly #tables = new Map<string, CodeTable>();

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO dictionary (name, code, value) VALUES (?, ?, ?)');
    const all = new Map<string, string[]>();
    const entries = db.prepare('SELECT name, value FROM dictionary ORDER BY name, code');
    // There may be millions: an array a row is made in less time than an object.
    entries.setReturnArrays(true);
    for (const [name, value] of entries.iterate() as unknown as Iterable<[string, string]>) {
      const values = all.get(name);
      if (values === undefined) all.set(name, [value]);
      else values.push(value);
    }
    for (const [name, values] of all) this.#tables.set(name, new CodeTable(name, values));
  }

  get(name: string): CodeTable {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = new CodeTable(name, []);
      this.#tables.set(name, table);
    }
    return table;
  }

  all(): { name: string; values: string[] }[] {
    const tables = [...this.#tables.values()].filter(({ values }) => values.length > 0);
    return tables.map(({ name, values }) => ({ name, values: [...values] }));
  }

  /** Writes what the transaction added. */
  write(): DictionaryDelta[] {
    const deltas: DictionaryDelta[] = [];
    for (const { name, values, durable } of this.#tables.values()) {
      if (values.length === durable) continue;
      const added = values.slice(durable);
      for (const [i, value] of added.entries()) this.#insert.run(name, durable + i, value);
      deltas.push({ name, from: durable, values: added });
    }
    return deltas;
  }

  /** The transaction is durable. */
  settle(): void {
    for (const table of this.#tables.values()) table.durable = table.values.length;
  }

  rollback(): void {
    for (const table of this.#tables.values()) table.rollback();
  }
}

/** A batch's coded column beside the dictionary that its codes mean. */
export class Coding {
  readonly table: CodeTable;
  readonly #codes: Int32Array<ArrayBuffer>;
  readonly #fresh: string[];

  constructor(column: CodedColumn, table: CodeTable) {
    this.#codes = column.codes;
    this.#fresh = column.fresh;
    this.table = table;
    // A wrong code would be wrong for ever: this is the last gate before the disk.
    const least = -1 - this.#fresh.length;
    const end = table.values.length;
    for (const code of this.#codes) {
      if (code < least || code >= end) {
        throw new HeadraceError(
          'internal',
          `The code ${code} of dictionary ${table.name} lies outside [${least}, ${end}).`,
        );
      }
    }
  }

  /** The column by its texts alone: the distinct ones in order of appearance, and each row's place among them. */
  canonical(): { indexes: Int32Array; texts: string[] } {
    const known = this.table.values.length;
    let keys = this.#codes;
    if (this.#fresh.length > 0) {
      const aliases = this.#aliases();
      keys = keys.map((code) => (code < -1 ? aliases[-2 - code]! : code));
    }
    const { indexes, values } = distinct(keys, known + this.#fresh.length);
    const texts = Array.from(values, (key) => (key < known ? this.table.values[key]! : this.#fresh[key - known]!));
    return { indexes, texts };
  }

  /** One number a fresh text: its code, which another batch may have brought about by now, or its first place. */
  #aliases(): number[] {
    const places = new Map<string, number>();
    return this.#fresh.map((text, place) => {
      const code = this.table.codeOf(text);
      if (code !== undefined) return code;
      if (!places.has(text)) places.set(text, place);
      return this.table.values.length + places.get(text)!;
    });
  }

  /**
   * The codes to be written; values without one get theirs, in order of appearance.
   *
   * @param kept the rows to take; null: all
   */
  resolve(kept: Int32Array | null): Int32Array<ArrayBuffer> {
    const codes = kept === null ? this.#codes : Int32Array.from(kept, (row) => this.#codes[row]!);
    if (this.#fresh.length === 0) return codes;
    const given = new Int32Array(this.#fresh.length).fill(-1);
    return codes.map((code) => {
      if (code >= -1) return code;
      const place = -2 - code;
      if (given[place] === -1) given[place] = this.table.give(this.#fresh[place]!);
      return given[place]!;
    });
  }
}

/**
 * The distinct codes in order of appearance, and each row's place among them (−1 for the code −1).
 *
 * @param size all codes are less than this
 */
export function distinct(
  codes: Int32Array<ArrayBuffer>,
  size: number,
): { indexes: Int32Array<ArrayBuffer>; values: Int32Array<ArrayBuffer> } {
  const n = codes.length;
  const indexes = new Int32Array(n);
  const values = new Int32Array(Math.min(n, size));
  let count = 0;
  // A flat table is far quicker than a Map, but it must not be filled for a handful of rows among millions of codes.
  const flat = size <= 8 * n + 64 ? new Int32Array(size) : null;
  const sparse = flat === null ? new Map<number, number>() : null;
  for (let i = 0; i < n; i++) {
    const code = codes[i]!;
    if (code === -1) {
      indexes[i] = -1;
      continue;
    }
    let place = flat === null ? (sparse!.get(code) ?? 0) : flat[code]!;
    if (place === 0) {
      values[count] = code;
      place = ++count;
      if (flat === null) sparse!.set(code, place);
      else flat[code] = place;
    }
    indexes[i] = place - 1;
  }
  return { indexes, values: values.slice(0, count) };
}
