/** Texts of events: entity ids joined by their templates, and categories; checked once for each distinct value. */
import type { Field, SourceKey } from '../registry/view.ts';
import { entityIdProblem } from './entity-id.ts';
import type { Distinct, EventColumns } from './event-columns.ts';
import type { Problem, Rejections } from './rejections.ts';
import { asText, mismatch, shown } from './scalars.ts';

/** Up to this many pairs of distinct values their joined texts are found by an array, above it by a map. */
const PAIRS_BY_ARRAY_MAX = 1 << 20;

/** A column of texts. */
export interface Texts {
  /** For each event its place in `values`, −1 for null; null: event `i` has `values[i]`. */
  places: Int32Array<ArrayBuffer> | null;
  /** Null is null. */
  values: (string | null)[];
}

/** A part of a key while it is joined: what is no text has a problem, also what is missing. */
interface Part {
  places: Int32Array<ArrayBuffer> | null;
  values: string[];
  problems: (Problem | undefined)[];
}

/** The entity ids of one key of the source; events without a valid one are rejected. */
export function entityIds(key: SourceKey, columns: EventColumns, bytesMax: number, rejections: Rejections): Texts {
  const { template } = key;
  let joined = part(template[1]!, columns, template[0]!);
  for (let i = 3; i < template.length; i += 2) {
    joined = join(joined, part(template[i]!, columns, template[i - 1]!), columns.n);
  }
  const { places, values, problems } = joined;
  const tail = template[template.length - 1]!;
  for (let i = 0; i < values.length; i++) {
    if (tail !== '') values[i] += tail;
    if (problems[i] !== undefined) continue;
    const why = entityIdProblem(values[i]!, bytesMax);
    if (why !== null) problems[i] = { code: 'invalid_entity_id', message: `${key.entity}: ${why}` };
  }
  rejectBy(places, problems, columns.n, rejections);
  return { places, values };
}

/** The values of a category field; what is no text is rejected. */
export function categories(field: Field, columns: EventColumns, bytesMax: number, rejections: Rejections): Texts {
  const distinct = columns.distinct(field.name);
  if (distinct === null) return { places: new Int32Array(columns.n).fill(-1), values: [] };
  const { places, values } = distinct;
  const texts = new Array<string | null>(values.length);
  const problems = new Array<Problem | undefined>(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    texts[i] = null;
    if (value === null || value === undefined) continue;
    const text = typeof value === 'boolean' ? String(value) : asText(value);
    if (text === undefined) problems[i] = mismatch(field, value);
    else if (text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax) {
      problems[i] = { code: 'invalid_field', message: `${field.name} has more than ${bytesMax} bytes` };
    } else if (!text.isWellFormed()) {
      problems[i] = { code: 'invalid_field', message: `${field.name} is no well-formed Unicode` };
    } else texts[i] = text;
  }
  rejectBy(places, problems, columns.n, rejections);
  return { places, values: texts };
}

function missing(column: string): Problem {
  return { code: 'missing_key', message: `the event has no ${column}, a column of its key` };
}

/** One column of a key with the literal text before it. */
function part(column: string, columns: EventColumns, literal: string): Part {
  const distinct: Distinct = columns.distinct(column) ?? { places: new Int32Array(columns.n), values: [null] };
  const values = new Array<string>(distinct.values.length);
  const problems = new Array<Problem | undefined>(distinct.values.length);
  for (let i = 0; i < values.length; i++) {
    const value = distinct.values[i];
    const text = asText(value);
    values[i] = text === undefined ? '' : literal === '' ? text : literal + text;
    if (text === '') {
      problems[i] = { code: 'invalid_entity_id', message: `${column} is empty, and an entity id is made of it` };
    } else if (text === undefined) {
      problems[i] =
        value === null || value === undefined
          ? missing(column)
          : {
              code: 'invalid_entity_id',
              message: `${column} is ${shown(value)}; an entity id is made of text or whole numbers`,
            };
    }
  }
  return { places: placeNulls(distinct.places, column, values, problems), values, problems };
}

/** Gives the events without a value a place of their own, whose problem says so. */
function placeNulls(
  places: Int32Array<ArrayBuffer> | null,
  column: string,
  values: string[],
  problems: (Problem | undefined)[],
): Int32Array<ArrayBuffer> | null {
  if (places === null || !places.includes(-1)) return places;
  values.push('');
  problems.push(missing(column));
  const placed = places.slice();
  for (let i = 0; i < placed.length; i++) if (placed[i] === -1) placed[i] = values.length - 1;
  return placed;
}

function join(left: Part, right: Part, n: number): Part {
  if (left.places === null || right.places === null) {
    const joined: Part = { places: null, values: new Array(n), problems: new Array(n) };
    for (let i = 0; i < n; i++) {
      const leftPlace = left.places === null ? i : left.places[i]!;
      const rightPlace = right.places === null ? i : right.places[i]!;
      joined.values[i] = left.values[leftPlace]! + right.values[rightPlace]!;
      joined.problems[i] = left.problems[leftPlace] ?? right.problems[rightPlace];
    }
    return joined;
  }
  const width = right.values.length;
  const pairs = left.values.length * width;
  const byArray = pairs <= PAIRS_BY_ARRAY_MAX ? new Int32Array(pairs) : null;
  const byMap = new Map<number, number>();
  const joined: Part = { places: new Int32Array(n), values: [], problems: [] };
  for (let i = 0; i < n; i++) {
    const pair = left.places[i]! * width + right.places[i]!;
    // Places are kept one higher, so that 0 says "not yet met".
    let place = byArray === null ? (byMap.get(pair) ?? 0) : byArray[pair]!;
    if (place === 0) {
      place = joined.values.push(left.values[left.places[i]!]! + right.values[right.places[i]!]!);
      joined.problems.push(left.problems[left.places[i]!] ?? right.problems[right.places[i]!]);
      if (byArray === null) byMap.set(pair, place);
      else byArray[pair] = place;
    }
    joined.places![i] = place - 1;
  }
  return joined;
}

function rejectBy(
  places: Int32Array | null,
  problems: readonly (Problem | undefined)[],
  n: number,
  rejections: Rejections,
): void {
  // One event has one place to look at: only many are worth a first look at the distinct ones.
  if (n > 1 && !problems.some((problem) => problem !== undefined)) return;
  for (let i = 0; i < n; i++) {
    const place = places === null ? i : places[i]!;
    const problem = place < 0 ? undefined : problems[place];
    if (problem !== undefined) rejections.add(i, problem.code, problem.message);
  }
}
