/** What each view version meant, and from which position on: so that a name keeps its meaning over starts. */
import type { DatabaseSync } from 'node:sqlite';
import type { Plan } from '../registry/view.ts';

export interface StoredDefinition {
  view: string;
  version: string;
  /** Definition hash of `plan`. */
  hash: string;
  plan: Plan;
  /** Head of the log when it began to hold. */
  position: number;
}

export class Definitions {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** The newest definition of every version that was ever served, also of those that are no more. */
  all(): StoredDefinition[] {
    const rows = this.#db
      .prepare('SELECT view, version, hash, plan, MAX(position) AS position FROM definitions GROUP BY view, version')
      .all();
    return rows.map(
      ({ plan, ...rest }) => ({ ...rest, plan: JSON.parse(plan as string) }) as unknown as StoredDefinition,
    );
  }

  /** Within the caller's transaction. A definition that holds from the same position as the one before replaces it. */
  record({ view, version, hash, plan }: Omit<StoredDefinition, 'position'>, position: number): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO definitions (view, version, position, hash, plan) VALUES (?, ?, ?, ?, ?)')
      .run(view, version, position, hash, JSON.stringify(plan));
  }
}
