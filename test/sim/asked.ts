/** One request for values: takes the answers as an edge would, and holds each to what was promised. */
import type { ErrorBody } from '../../src/errors.ts';
import type { Collector, Query, RowState } from '../../src/serve/query.ts';
import { AS_OF, EVENT_TIME, POSITION, REVISION, ROW_HEADER, type Row, VALID_UNTIL } from '../../src/values/row.ts';
import type { Scalar } from './value-of.ts';
import { checkRow, published, type Seen, sameFeatures, shown, viewName, type World } from './world.ts';

/** A timer of the engine fires at the deadline itself; what it brings about follows within this time. */
const SLACK_MS = 1;
/** With so much time a request has an answer where all is well. */
const AMPLE_MS = 4000;

export class Asked implements Collector {
  readonly query: Query;
  readonly deadlineMs: number;
  readonly #world: World;
  readonly #clock: number;
  readonly #head: number;
  /** By index, the last event published by then that touched the entity. */
  readonly #needs: number[];
  readonly #answered: boolean[];
  /** While the call that asked has not returned. */
  inCall = true;
  done = false;

  constructor(world: World, query: Query) {
    this.#world = world;
    this.query = query;
    this.deadlineMs = world.time.monotonicMs() + query.timeoutMs;
    this.#clock = world.engine.core.clock.now();
    this.#head = world.engine.core.head;
    this.#needs = query.entityIds.map((id) => world.oracle.lastTouch(query.view, id, published(world)));
    this.#answered = query.entityIds.map(() => false);
  }

  get #live(): boolean {
    return this.query.asOf === null && this.query.position === null;
  }

  row(index: number, row: Row, state: RowState): void {
    this.#once(index);
    const { view, minPosition } = this.query;
    const entityId = this.query.entityIds[index]!;
    const seen = seenOf(row);
    checkRow(this.#world, view, null, entityId, seen);
    if (row.entityId !== entityId) this.#fail(`a row of ${row.entityId} answers for ${entityId}`);
    if (!this.#live) this.#checkMoment(seen, state);
    else if (state === 'stale') this.#checkStale(index, seen);
    else {
      this.#checkPresent(index, seen);
      if (state === 'cached') this.#checkHit(index, seen);
    }
    if (seen.position < minPosition) this.#fail(`position ${seen.position} is below min_position`);
  }

  failed(index: number, error: ErrorBody): void {
    this.#once(index);
    const world = this.#world;
    const entityId = this.query.entityIds[index]!;
    const late = world.time.monotonicMs() >= this.deadlineMs;
    const why = `${entityId} fails as ${error.code}: ${error.message}`;
    switch (error.code) {
      case 'invalid_entity_id':
        if (world.engine.core.idProblem(entityId) === null) this.#fail(why);
        return;
      case 'as_of_out_of_history': {
        const { position, view } = this.query;
        const oldest = world.engine.core.clock.now() - view.history;
        if (position === null || world.oracle.clockAt(position) >= oldest) this.#fail(why);
        return;
      }
      case 'unavailable': {
        // Where it may wait for the log to grow, the time it has says nothing.
        const waits = this.query.minPosition > this.#head;
        if (world.calm && (!late || (this.query.timeoutMs >= AMPLE_MS && !waits))) this.#fail(why);
        return;
      }
      case 'internal':
      case 'overloaded':
        if (world.calm) this.#fail(why);
        return;
      case 'draining':
        if (!world.draining) this.#fail(why);
        return;
      default:
        this.#fail(why);
    }
  }

  finish(): void {
    if (this.done) this.#fail('it is done twice');
    this.done = true;
    const missing = this.#answered.indexOf(false);
    if (missing >= 0) this.#fail(`it is done without an answer for ${this.query.entityIds[missing]}`);
    if (this.#world.time.monotonicMs() > this.deadlineMs + SLACK_MS) this.#fail('it is answered past its deadline');
  }

  /** Called as time passes. */
  checkDeadline(): void {
    if (!this.done && this.#world.time.monotonicMs() > this.deadlineMs + SLACK_MS) this.#fail('it hangs');
  }

  #once(index: number): void {
    if (this.#answered[index] !== false) this.#fail(`index ${index} is answered twice, or is none of its own`);
    if (this.done) this.#fail(`index ${index} is answered after all was done`);
    this.#answered[index] = true;
  }

  /** A value of the past says so, and is what was asked for. */
  #checkMoment({ asOf, position }: Seen, state: RowState): void {
    const { asOf: wanted, position: known } = this.query;
    if (state !== 'computed') this.#fail(`a value of a moment is ${state}`);
    if (asOf !== (wanted ?? this.#world.oracle.clockAt(known!))) this.#fail(`it is answered as of ${asOf}`);
    if (known === null ? position < this.#head : position !== known)
      this.#fail(`it is answered at position ${position}`);
  }

  /** Never the past: as good as computed when it was asked. */
  #checkPresent(index: number, seen: Seen): void {
    const { view } = this.query;
    const { engine, oracle } = this.#world;
    const entityId = this.query.entityIds[index]!;
    if (seen.position < this.#needs[index]!) {
      this.#fail(`${entityId} has position ${seen.position}, and an event at ${this.#needs[index]} touched it before`);
    }
    if (seen.asOf > engine.core.clock.now()) this.#fail(`${entityId} is of a time to come, ${seen.asOf}`);
    if (seen.asOf + view.ttl < this.#clock) this.#fail(`${entityId} is ${(this.#clock - seen.asOf) / 1e6} s old`);
    if (!view.exact) return;
    const fresh = oracle.valueOf(view, entityId, Math.max(seen.asOf, this.#clock), seen.position);
    if (!sameFeatures(fresh.features, seen.features)) {
      this.#fail(`${entityId} of an exact view is ${shown(seen)}, and was ${shown(fresh)} when it was asked`);
    }
  }

  /** A hit is current in the very turn in which it is given. */
  #checkHit(index: number, seen: Seen): void {
    const { view } = this.query;
    const { engine, oracle } = this.#world;
    const entityId = this.query.entityIds[index]!;
    const now = engine.core.clock.now();
    const touched = oracle.lastTouch(view, entityId, published(this.#world));
    if (touched > seen.position) this.#fail(`a hit of ${entityId} at ${seen.position} is dirty since ${touched}`);
    if (now - seen.asOf > view.ttl) this.#fail(`a hit of ${entityId} is ${(now - seen.asOf) / 1e6} s old`);
    if (!view.exact) return;
    const fresh = oracle.valueOf(view, entityId, now, published(this.#world));
    if (!sameFeatures(fresh.features, seen.features)) {
      this.#fail(`an exact hit of ${entityId} is ${shown(seen)}, and now it is ${shown(fresh)}`);
    }
  }

  #checkStale(index: number, seen: Seen): void {
    const { view, minPosition } = this.query;
    const entityId = this.query.entityIds[index]!;
    if (minPosition > 0) this.#fail(`${entityId} is stale where a min_position is asked for`);
    if (!this.inCall) {
      const late = this.#world.time.monotonicMs() >= this.deadlineMs;
      if (this.#world.calm && !late) this.#fail(`${entityId} is stale before the deadline`);
      return;
    }
    const age = this.#clock - seen.asOf;
    if (age <= view.ttl || age > view.ttl + view.staleWhileRevalidate)
      this.#fail(`a stale ${entityId} is ${age / 1e6} s old`);
    if (seen.position < this.#needs[index]!) this.#fail(`a stale ${entityId} is dirty`);
  }

  #fail(why: string): void {
    this.#world.fail(`get ${describe(this.query)}: ${why}`);
  }
}

export function describe({ view, entityIds, timeoutMs, asOf, position, minPosition }: Query): string {
  const some = entityIds.slice(0, 8);
  const ids = some.map((id) => JSON.stringify(id.slice(0, 10))).join() + (entityIds.length > some.length ? '…' : '');
  return `${viewName(view)} [${ids}] ${timeoutMs} ms as_of=${asOf} position=${position} min_position=${minPosition}`;
}

function seenOf({ view, slab, base, strings }: Row): Seen {
  const orNull = (number: number) => (Number.isNaN(number) ? null : number);
  return {
    asOf: slab[base + AS_OF]!,
    position: slab[base + POSITION]!,
    revision: slab[base + REVISION]!,
    eventTime: orNull(slab[base + EVENT_TIME]!),
    validUntil: orNull(slab[base + VALID_UNTIL]!),
    features: view.features.map(
      ({ output }, place): Scalar =>
        output === 'string' ? (strings?.[place] ?? null) : orNull(slab[base + ROW_HEADER + place]!),
    ),
  };
}
