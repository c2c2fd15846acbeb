/** The schemas of the log's rows: which columns a source's batches had when they were written. */
import type { DatabaseSync } from 'node:sqlite';
import type { Source } from '../registry/view.ts';
import type { SchemaColumn, SchemaSpec } from './log-row.ts';

export function schemaOf(source: Source): SchemaSpec {
  const columns: SchemaColumn[] = [{ name: '@timestamp', dtype: 'i8' }];
  for (const { entity } of source.keys) columns.push({ name: `@${entity}`, dtype: 'i4', dictionary: `@${entity}` });
  for (const { name, type } of source.fields) {
    if (type === 'category') columns.push({ name, dtype: 'i4', dictionary: `${source.name}.${name}` });
    else columns.push({ name, dtype: 'f8' });
  }
  return { source: source.name, columns };
}

export class Schemas {
  readonly #db: DatabaseSync;
  readonly #specs = new Map<number, SchemaSpec>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.read();
  }

  /** Knows what the file has: at the start, and after a transaction that came to nothing. */
  read(): void {
    this.#specs.clear();
    for (const row of this.#db.prepare('SELECT id, spec FROM schemas').all()) {
      this.#specs.set(row['id'] as number, JSON.parse(row['spec'] as string));
    }
  }

  /** The id of the schema with exactly these columns, made where there is none. */
  ensure(spec: SchemaSpec): number {
    const text = JSON.stringify(spec);
    for (const [id, known] of this.#specs) if (JSON.stringify(known) === text) return id;
    const { lastInsertRowid } = this.#db.prepare('INSERT INTO schemas (spec) VALUES (?)').run(text);
    const id = Number(lastInsertRowid);
    this.#specs.set(id, spec);
    return id;
  }

  get(id: number): SchemaSpec {
    return this.#specs.get(id)!;
  }

  get size(): number {
    return this.#specs.size;
  }

  all(): Record<string, SchemaSpec> {
    return Object.fromEntries(this.#specs);
  }
}
