import type { Job } from './job.ts';

/** Jobs that wait for one worker. Those that somebody waits for (a finite deadline) go before those that are only watched. */
export class JobQueue {
  #requests: Job[] = [];
  #watched: Job[] = [];
  /** No request in the queue has an earlier deadline. */
  #earliestMs = Infinity;

  get length(): number {
    return this.#requests.length + this.#watched.length;
  }

  push(job: Job): void {
    if (job.deadlineMs === Infinity) this.#watched.push(job);
    else {
      this.#requests.push(job);
      this.#earliestMs = Math.min(this.#earliestMs, job.deadlineMs);
    }
  }

  /** The jobs that waited longest, at most `limit`. */
  take(limit: number): Job[] {
    const taken = this.#requests.splice(0, limit);
    return taken.length < limit ? taken.concat(this.#watched.splice(0, limit - taken.length)) : taken;
  }

  takeAll(): Job[] {
    return this.take(this.length);
  }

  takeWatched(): Job[] {
    return this.#watched.splice(0);
  }

  /** Takes out the jobs whose deadline has passed. */
  expire(nowMs: number): Job[] {
    if (nowMs < this.#earliestMs) return [];
    const expired = this.#requests.filter((job) => job.deadlineMs <= nowMs);
    this.#requests = this.#requests.filter((job) => job.deadlineMs > nowMs);
    this.#earliestMs = this.#requests.reduce((least, job) => Math.min(least, job.deadlineMs), Infinity);
    return expired;
  }
}
