import type { ErrorBody } from '../errors.ts';
import type { View } from '../registry/view.ts';
import type { InputValue } from '../serve/request-inputs.ts';
import type { ComputedBlock } from '../values/row.ts';

/** One value to be computed: an entity under a view version, at one moment. */
export interface Job {
  view: View;
  entityId: string;
  /** −1 for an entity without events; looked up again when the frame is made. */
  code: number;
  /** Null: now, with all that the log holds when the frame is made. */
  at: { asOf: number; position: number } | null;
  /** Monotonic milliseconds after which nobody wants it; Infinity: no deadline. */
  deadlineMs: number;
  /** How often it came back without a value: its worker died, or its shard had moved. Starts at 0. */
  attempts: number;
  /** Features of a request are computed with the row, which then is nobody else's; `id` tells two such jobs apart. */
  request?: { inputs: readonly InputValue[]; id: number } | undefined;
  /** Head of the log in the frame that carries it: its value holds at least all events up to there. Else undefined. */
  sentPosition?: number | undefined;
}

/** What the fleet tells the engine. */
export interface FleetEvents {
  /** `jobs[i]` asked for row i. `live`: the jobs asked for now, so that the rows may enter the cache. */
  computed(block: ComputedBlock, jobs: Job[], live: boolean): void;
  failed(jobs: Job[], error: ErrorBody): void;
  /** One answer is handed over whole: what it caused can be flushed. */
  turn(): void;
  /** A worker's state or the fleet's readiness changed. */
  changed(): void;
}

/** Jobs of one frame that share a view and a moment, in the order of their rows; all of them have a `request`, or none. */
export interface JobGroup {
  view: View;
  at: Job['at'];
  ofRequest: boolean;
  jobs: Job[];
}

export function groupJobs(jobs: readonly Job[]): JobGroup[] {
  const groups = new Map<string, JobGroup>();
  for (const job of jobs) {
    // By view, not by hash: two versions with the same definition share a hash, and each has its own rows.
    const { name, version, hash } = job.view;
    const at = job.at === null ? '' : `|${job.at.asOf}|${job.at.position}`;
    const ofRequest = job.request !== undefined;
    const key = `${name}@${version}|${hash}${at}${ofRequest ? '|request' : ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { view: job.view, at: job.at, ofRequest, jobs: [job] });
    else group.jobs.push(job);
  }
  return [...groups.values()];
}
