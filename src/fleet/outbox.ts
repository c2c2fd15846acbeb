import type { AddedBatch, CommitGroup, DictionaryDelta } from '../store/log-row.ts';
import { encodeFrame, type GroupHeader, type WorkHeader } from '../wire/frames.ts';
import { encodeInputs } from './inputs.ts';
import { groupJobs, type Job, type JobGroup } from './job.ts';
import { JobQueue } from './job-queue.ts';

export interface OutboxLimits {
  rowsPerFrameMax: number;
  frameBytesMax: number;
  pendingBytesMax: number;
}

/** Events of so many bytes are worth a frame of their own. */
const EVENTS_BYTES = 256 * 1024;

/** One frame of work that a worker has not answered yet. */
export interface InFlight {
  id: number;
  /** The position that the worker has after it. */
  position: number;
  groups: JobGroup[];
}

/**
 * What waits for one worker: events that it has not been sent and jobs for its shards. All of it leaves in one frame as
 * soon as the worker is free.
 *
 * Events are a convenience: whenever they are too many, or the worker is loading, they are dropped and the next frame
 * only names the head of the log, up to which the worker then reads by itself.
 */
export class Outbox {
  readonly jobs = new JobQueue();
  readonly #limits: OutboxLimits;
  #batches: AddedBatch[] = [];
  #dictionaries: DictionaryDelta[] = [];
  #bytes = 0;
  /** Events were dropped since the last frame: gather none until the worker is told the head. */
  #gap = true;
  /** Position that the worker has, or will have once it has answered what it was sent. */
  #reached = 0;

  constructor(limits: OutboxLimits) {
    this.#limits = limits;
  }

  /** Bytes of events that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Take in what a transaction has added to the log. */
  add(group: CommitGroup): void {
    if (this.#gap) return;
    for (const { added } of group.commits) {
      if (added === null) continue;
      this.#batches.push(added);
      this.#bytes += added.columns.byteLength;
      if (added.columns.byteLength > this.#limits.frameBytesMax || this.#bytes > this.#limits.pendingBytesMax) {
        this.dropEvents();
        return;
      }
    }
    for (const delta of group.dictionaries) {
      // Workers know entities by code alone; only categories can become an output.
      if (!delta.name.startsWith('@')) this.#dictionaries.push(delta);
    }
  }

  /** Forget the events that wait and gather no more until the next frame. */
  dropEvents(): void {
    this.#batches = [];
    this.#dictionaries = [];
    this.#bytes = 0;
    this.#gap = true;
  }

  /** The worker has loaded the log up to `position`. */
  reset(position: number, head: number): void {
    this.dropEvents();
    this.#reached = position;
    this.#gap = head > position;
  }

  /**
   * There is something to send. Events that nobody asks about wait for the next tick or for company, since a frame costs
   * the worker a third of a millisecond whatever is in it; a job takes them along at once.
   * @param tick whether this is the tick
   */
  due(head: number, tick: boolean): boolean {
    if (this.jobs.length > 0 || this.#bytes >= EVENTS_BYTES) return true;
    return tick && (this.#batches.length > 0 || head > this.#reached);
  }

  /** The next frame takes the worker to the head of the log; jobs ride only with such a frame. */
  get reachesHead(): boolean {
    return this.#bytes <= this.#limits.frameBytesMax;
  }

  takeJobs(): Job[] {
    return this.reachesHead ? this.jobs.take(this.#limits.rowsPerFrameMax) : [];
  }

  /**
   * The next frame: the events that fit, and the given jobs.
   * @param head position of the newest event in the log
   * @param asOf engine time of the jobs that ask for now
   */
  makeFrame(id: number, head: number, asOf: number, jobs: readonly Job[]): { frame: Uint8Array; inFlight: InFlight } {
    const batches = this.#takeBatches();
    const position = batches.at(-1)?.position ?? head;
    const previous = batches.length === 0 ? position : batches[0]!.position - batches[0]!.n;
    const groups = groupJobs(jobs);
    for (const job of jobs) job.sentPosition = position;
    const header: WorkHeader = {
      id,
      previous,
      position,
      groups: [],
    };
    if (this.#dictionaries.length > 0) header.dictionaries = this.#dictionaries.splice(0);
    const blocks: Uint8Array[] = batches.map((batch) => new Uint8Array(batch.columns));
    for (const group of groups) {
      const { view, at, jobs } = group;
      const moment = at ?? { asOf, position: null };
      const asked: GroupHeader = { hash: view.hash, as_of: moment.asOf, position: moment.position, n: jobs.length };
      header.groups.push(asked);
      blocks.push(codesOf(group));
      if (!group.ofRequest) continue;
      const inputs = encodeInputs(view, moment.asOf, jobs);
      asked.request = inputs.byteLength;
      blocks.push(inputs);
    }
    if (batches.length > 0) header.batches = batches.map(batchHeader);
    this.#reached = position;
    this.#gap = false;
    const frame = encodeFrame(batches.length > 0 ? 'apply' : 'compute', header, blocks);
    return { frame, inFlight: { id, position, groups } };
  }

  #takeBatches(): AddedBatch[] {
    let bytes = 0;
    let count = 0;
    for (const batch of this.#batches) {
      bytes += batch.columns.byteLength;
      if (bytes > this.#limits.frameBytesMax) break;
      this.#bytes -= batch.columns.byteLength;
      count++;
    }
    return this.#batches.splice(0, count);
  }
}

function batchHeader({ schema, position, n, late }: AddedBatch): NonNullable<WorkHeader['batches']>[number] {
  return late === null ? { schema, position, n } : { schema, position, n, late };
}

function codesOf(group: JobGroup): Uint8Array {
  return new Uint8Array(Int32Array.from(group.jobs, (job) => job.code).buffer);
}
