import type { Job } from '../fleet/job.ts';
import type { View } from '../registry/view.ts';

export interface SamplerOptions {
  compute: (jobs: Job[]) => void;
  /** The id that has this code, by entity. */
  idOf: (entity: string, code: number) => string | undefined;
  monotonicMs: () => number;
}

/** A vector that has not come by then is left out of the window. */
const DEADLINE_MS = 10_000;

/** Has the fleet compute vectors for drift, and tells when all of a tick have come back. */
export class Sampler {
  readonly #options: SamplerOptions;
  readonly #rounds = new Map<Job, { left: number; done: () => void }>();

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** Computes the current vectors of these entities. @param done called once, when each has come or failed */
  sample(view: View, codes: readonly number[], done: () => void): void {
    const { compute, idOf, monotonicMs } = this.#options;
    const deadlineMs = monotonicMs() + DEADLINE_MS;
    const jobs = codes.flatMap((code): Job[] => {
      const entityId = idOf(view.plan.entity, code);
      return entityId === undefined ? [] : [{ view, entityId, code, at: null, deadlineMs, attempts: 0 }];
    });
    if (jobs.length === 0) {
      done();
      return;
    }
    const round = { left: jobs.length, done };
    for (const job of jobs) this.#rounds.set(job, round);
    compute(jobs);
  }

  /** Jobs of whomever have come back, with rows or without; the rows were accepted before. */
  returned(jobs: readonly Job[]): void {
    if (this.#rounds.size === 0) return;
    for (const job of jobs) {
      const round = this.#rounds.get(job);
      if (round === undefined) continue;
      this.#rounds.delete(job);
      round.left--;
      if (round.left === 0) round.done();
    }
  }
}
