/** What the actors of one schedule share. */
import type { Registry, View } from '../../src/registry/view.ts';
import type { Engine } from './engine.ts';
import type { Oracle } from './oracle.ts';
import type { Random } from './random.ts';
import type { Scalar, Value } from './value-of.ts';
import type { VirtualTime } from './virtual-time.ts';

export const USERS = ['ann', 'bob', 'cyd', 'dée', 'e-5'];
/** Strangers at first: seldom does an event name one of them. */
export const GUESTS = Array.from({ length: 12 }, (_, i) => `guest ${i}`);
export const ITEMS = ['1', '2', '33'];
/** No event ever names them. */
export const STRANGERS = ['nobody', 'Ghost'];
/** More strangers than a chunk of the cache's rows holds. */
export const CROWD = Array.from({ length: 300 }, (_, i) => `one of many ${i}`);

export interface World {
  readonly seed: number;
  readonly random: Random;
  readonly time: VirtualTime;
  readonly registry: Registry;
  /** Of all versions that are served now. */
  readonly views: readonly View[];
  /** All that were once served under this start of the engine and ended. */
  readonly ended: readonly View[];
  readonly oracle: Oracle;
  /** The present start of the engine. */
  engine: Engine;
  /** No worker dies, hangs or fails, and no queue is small: then every request with time enough has an answer. */
  readonly calm: boolean;
  /** The cache holds all rows: nothing is evicted. */
  readonly roomy: boolean;
  /** The newest position that a producer was told. */
  acked: number;
  /** Requests are refused because the engine stops. */
  draining: boolean;
  trace(line: string): void;
  /** Notes the first violation; the schedule ends with it. */
  fail(why: string): void;
}

/** A row as any client sees it. */
export interface Seen {
  asOf: number;
  position: number;
  revision: number;
  eventTime: number | null;
  validUntil: number | null;
  /** Of the selected features, in their order. */
  features: Scalar[];
}

/** Up to where events count as published: what a producer was told, and what the engine says itself. */
export const published = ({ acked, engine }: World): number => Math.max(acked, engine.core.head);

export const select = (features: Scalar[], places: number[] | null): Scalar[] =>
  places === null ? features : places.map((place) => features[place]!);

/** Whether two rows have the same bits: −0 and 0 have the same text. */
export const sameFeatures = (a: readonly Scalar[], b: readonly Scalar[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** The first promise: a row is what its definition, entity, as_of and position say. */
export function checkRow(world: World, view: View, places: number[] | null, entityId: string, seen: Seen): void {
  const { asOf, position } = seen;
  if (position > world.oracle.head) world.fail(`a row of ${entityId} has position ${position}, beyond the log`);
  const value = world.oracle.valueOf(view, entityId, asOf, position);
  const same =
    sameFeatures(seen.features, select(value.features, places)) &&
    seen.validUntil === value.validUntil &&
    seen.eventTime === value.eventTime;
  if (!same) {
    world.fail(
      `${view.name}@${view.version} of ${entityId} at as_of ${asOf}, position ${position} is ${shown(seen)}, ` +
        `and by the log it is ${shown({ ...value, features: select(value.features, places) })}`,
    );
  }
}

export const shown = ({ features, validUntil, eventTime }: Value): string =>
  JSON.stringify({ features, validUntil, eventTime });

/** Options apart: two registries may have it as two objects. */
export const isSameView = (a: View, b: View): boolean =>
  a.name === b.name && a.version === b.version && a.hash === b.hash;

export const viewName = ({ name, version }: View): string => `${name}@${version}`;
