/** Rows and updates as clients read them. */
import type { View } from '../../src/registry/view.ts';
import { parseTime } from '../../src/wire/time.ts';
import type { Scalar } from './value-of.ts';
import { type Seen, select, shown } from './world.ts';

/** A row or an update as JSON. */
export interface Told {
  entity_id: string;
  topic?: number;
  revision: number;
  features: Record<string, Scalar>;
  as_of: string;
  position: number;
  event_time: string | null;
  valid_until: string | null;
  stale?: true;
  error?: { code: string };
}

export const isOlder = (a: Seen, b: Seen) => a.position < b.position || (a.position === b.position && a.asOf < b.asOf);

export const brief = (seen: Seen) => `revision ${seen.revision} at ${seen.position} as of ${seen.asOf} ${shown(seen)}`;

/** The text of a whole, unmasked text frame. */
export function textOf(frame: Buffer): string {
  const short = frame[1]!;
  return frame.toString('utf8', short < 126 ? 2 : 4);
}

export function seenOf(view: View, places: number[] | null, told: Told): Seen {
  const time = (text: string | null) => (text === null ? null : parseTime(text));
  const names = view.features.map(({ name }) => name);
  return {
    asOf: parseTime(told.as_of),
    position: told.position,
    revision: told.revision,
    eventTime: time(told.event_time),
    validUntil: time(told.valid_until),
    features: select(
      names.map((name) => told.features[name] ?? null),
      places,
    ),
  };
}
