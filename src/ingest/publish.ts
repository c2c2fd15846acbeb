import type { Micros } from '../clock.ts';
import type { AddedBatch, CommitGroup, DictionaryDelta } from '../store/log-row.ts';

/** What the engine does with a transaction, narrowed to what its order concerns. `Job` is what the fleet computes. */
export interface PublishParts<Job> {
  dictionaries: { apply(delta: DictionaryDelta): void };
  /** Moves an event clock; null where the clock is the wall's. */
  clock: { advance(to: Micros): void } | null;
  /** Makes the position the head that reads may ask for. */
  head: { advance(position: number): void };
  touched: { touch(source: string, entity: string, codes: Int32Array, position: number): void };
  /** The rows to compute right after these events: those of watched entities, and those that fell due by the clock. */
  jobs(added: readonly AddedBatch[]): Job[];
  fleet: { apply(group: CommitGroup, jobs: Job[]): void };
  ingest: { committed(group: CommitGroup): void };
}

/**
 * Makes a transaction visible, in one turn. The order is the promise of the acknowledgement: before a producer hears of
 * its events, every cached row that they touch is dirty and every job that follows sees their position, so that its next
 * read never sees the past.
 */
export function publish<Job>(group: CommitGroup, parts: PublishParts<Job>): void {
  const added: AddedBatch[] = [];
  for (const commit of group.commits) if (commit.added !== null) added.push(commit.added);

  for (const delta of group.dictionaries) parts.dictionaries.apply(delta);
  if (added.length > 0) {
    parts.clock?.advance(added[added.length - 1]!.clock);
    parts.head.advance(group.position);
    for (const { source, touched, position } of added) {
      for (const { entity, codes } of touched) parts.touched.touch(source, entity, codes, position);
    }
    parts.fleet.apply(group, parts.jobs(added));
  }
  parts.ingest.committed(group);
}
