/** What the log must hold, by the written rules alone: the sum of what producers sent, in the order of the log. */
import type { Micros } from '../../src/clock.ts';
import type { Registry, Source, View } from '../../src/registry/view.ts';
import type { BatchKey } from '../../src/store/log-row.ts';
import { changesOf, computeValue, type Known, type Scalar, type Value } from './value-of.ts';

/** An event as a producer has it; a null key or an amount that is no whole number makes it a bad one. */
export interface Sent {
  ts: Micros;
  keys: Record<string, string | null>;
  fields: Record<string, Scalar>;
}

/** One request of a producer. */
export interface SentBatch {
  source: string;
  events: Sent[];
  key: BatchKey | null;
  /** The system's clock when the engine took it. */
  wall: Micros;
}

export interface Expected {
  conflict: boolean;
  position: number;
  accepted: number;
  late: number;
  duplicate: number;
  rejected: [index: number, code: string][];
}

interface OracleEvent extends Known {
  late: boolean;
}

const byEntity = (entity: string, entityId: string) => `${entity}|${entityId}`;

export class Oracle {
  readonly #registry: Registry;
  readonly #byEntity = new Map<string, OracleEvent[]>();
  /** Clock after each event; the first stands for the empty log. */
  readonly #clocks: Micros[] = [0];
  readonly #newest = new Map<string, Micros>();
  readonly #answers = new Map<string, { content: string; expected: Expected }>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Number of events in the log. */
  get head(): number {
    return this.#clocks.length - 1;
  }

  /** Newest timestamp of a source; −∞: it has no events. */
  newest(source: string): Micros {
    return this.#newest.get(source) ?? -Infinity;
  }

  /** The engine's clock right after the event at a position. */
  clockAt(position: number): Micros {
    return this.#clocks[position]!;
  }

  /** The next batch in the order of the log. @returns what its producer must be told */
  take(batch: SentBatch): Expected {
    const content = JSON.stringify(batch.events);
    const name = batch.key === null ? null : JSON.stringify([batch.source, batch.key]);
    const before = name === null ? undefined : this.#answers.get(name);
    if (before !== undefined) {
      const { expected } = before;
      const conflict = before.content !== content;
      return { ...expected, conflict, accepted: 0, late: 0, duplicate: expected.accepted };
    }
    const expected = this.#sequence(batch);
    if (name !== null) this.#answers.set(name, { content, expected });
    return expected;
  }

  #sequence({ source: name, events, wall }: SentBatch): Expected {
    const { mode, sources } = this.#registry.clock;
    const source = this.#registry.sources.get(name)!;
    const lateBefore = this.newest(name) - source.lateness;
    const moves = mode === 'event' && (sources === null || sources.includes(name));
    let clock = this.#clocks.at(-1)!;
    if (mode === 'wall') clock = Math.max(clock, wall);
    let begun = this.head > 0;
    const taken: { sent: Sent; late: boolean; clock: Micros }[] = [];
    const rejected: Expected['rejected'] = [];
    for (const [index, sent] of events.entries()) {
      const problem = problemOf(source, sent);
      if (problem !== null) {
        rejected.push([index, problem]);
      } else if (begun && clock > 0 && sent.ts > clock + source.maxAhead) {
        rejected.push([index, 'too_far_ahead']);
      } else {
        begun = true;
        if (moves) clock = Math.max(clock, sent.ts);
        taken.push({ sent, late: sent.ts < lateBefore, clock });
      }
    }
    for (const { sent, late, clock } of taken) this.#add(name, sent, late, clock);
    return {
      conflict: false,
      position: this.head,
      accepted: taken.length,
      late: taken.filter(({ late }) => late).length,
      duplicate: 0,
      rejected,
    };
  }

  #add(source: string, { ts, keys, fields }: Sent, late: boolean, clock: Micros): void {
    this.#clocks.push(clock);
    this.#newest.set(source, Math.max(ts, this.newest(source)));
    const event: OracleEvent = { source, ts, position: this.head, fields, late };
    for (const [entity, entityId] of Object.entries(keys)) {
      const name = byEntity(entity, entityId!);
      const events = this.#byEntity.get(name);
      if (events === undefined) this.#byEntity.set(name, [event]);
      else events.push(event);
    }
  }

  valueOf(view: View, entityId: string, asOf: Micros, position: number): Value {
    return computeValue(view.plan, this.#known(view, entityId, position), asOf);
  }

  /** All that the value may have been at moments in `[after, until]`. */
  valuesWithin(view: View, entityId: string, after: Micros, until: Micros, position: number): Value[] {
    const events = this.#known(view, entityId, position);
    const moments = [after, ...changesOf(view.plan, events, after, until)];
    return moments.map((asOf) => computeValue(view.plan, events, asOf));
  }

  /** Position of the last event up to `until` that touched the entity in a source of the view; 0: none. */
  lastTouch(view: View, entityId: string, until: number): number {
    return this.#known(view, entityId, until).reduce((last, { position }) => Math.max(last, position), 0);
  }

  #known({ plan }: View, entityId: string, position: number): OracleEvent[] {
    const events = this.#byEntity.get(byEntity(plan.entity, entityId)) ?? [];
    return events.filter(
      (event) =>
        !event.late && event.position <= position && plan.sources.some((source) => source.name === event.source),
    );
  }
}

/** Why the edge does not take an event, whatever the log holds. */
function problemOf({ keys, fields }: Source, sent: Sent): string | null {
  if (keys.some(({ entity }) => sent.keys[entity] === null)) return 'missing_key';
  const bad = fields.some(({ name, type }) => type === 'int' && !isWholeOrNull(sent.fields[name] ?? null));
  return bad ? 'invalid_field' : null;
}

const isWholeOrNull = (value: Scalar) => value === null || Number.isInteger(value);
