/**
 * Rows as JSON text, by a template compiled once for each (view, selection). It runs on the main thread and, from the
 * plain data of a {@link RowSpec}, in a worker thread, and makes the same bytes in both.
 */
import type { OutputType, View } from '../registry/view.ts';
import { formatTime } from '../wire/time.ts';
import { AS_OF, COMPUTED_AT, EVENT_TIME, POSITION, REVISION, ROW_HEADER, type Row, VALID_UNTIL } from './row.ts';

/** The selected features: names, types, and each one's place among the numbers (after the header) and the strings. */
export interface RowSpec {
  names: string[];
  outputs: OutputType[];
  places: number[];
  /** Place of the request's time among the numbers; null where no feature of the request is selected. */
  requestTime: number | null;
}

/** Where a row's numbers and strings lie; see row.ts. */
export type RowData = Pick<Row, 'slab' | 'base' | 'strings'>;

/**
 * @param request indexes of features of the request, which stand behind the view's own in a row, as its time does
 * behind all of them; left out where none is selected
 */
export function rowSpec(view: View, select: number[] | null, request: readonly number[] = []): RowSpec {
  const stored = view.features.length;
  const places = [...(select ?? view.features.keys()), ...request.map((at) => stored + at)];
  const features = places.map((place) => view.features[place] ?? view.request[place - stored]!);
  return {
    names: features.map(({ name }) => name),
    outputs: features.map(({ output }) => output),
    places,
    requestTime: request.length === 0 ? null : stored + view.request.length,
  };
}

/** The spec of rows that hold what it selects and nothing else, in that order. */
export function ownPlaces(spec: RowSpec): RowSpec {
  return {
    ...spec,
    places: spec.places.map((_, i) => i),
    requestTime: spec.requestTime === null ? null : spec.places.length,
  };
}

/** What of a row's text is neither name nor value of a feature, roughly, in bytes. */
const ROW_BYTES = 260;
/** A number of the usual length, with quotes, colon and comma around its name. */
const FEATURE_BYTES = 20;

const SUFFIX = {
  cached: ',"cached":true}',
  computed: ',"cached":false}',
  stale: ',"cached":true,"stale":true}',
} as const;

type State = keyof typeof SUFFIX;

/** Times written last, by their second: the rows of a turn share most of theirs, and the calendar costs 1.5 µs a time. */
const TIMES_KEPT = 256;
const keptTimes = new Float64Array(TIMES_KEPT).fill(Number.NaN);
const keptTexts: string[] = new Array<string>(TIMES_KEPT).fill('');

function timeText(micros: number): string {
  if (!Number.isFinite(micros)) return 'null';
  const place = ((micros / 1e6) >>> 0) % TIMES_KEPT;
  if (keptTimes[place] !== micros) {
    keptTexts[place] = `"${formatTime(micros)}"`;
    keptTimes[place] = micros;
  }
  return keptTexts[place]!;
}

export class RowWriter {
  readonly spec: RowSpec;
  /** What a row's text is likely to take, in bytes. */
  readonly estimateBytes: number;
  /** What stands before each value: `{"name":` or `,"name":`. */
  readonly #before: string[];

  constructor(spec: RowSpec) {
    this.spec = spec;
    this.#before = spec.names.map((name, i) => `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`);
    this.estimateBytes = this.#before.reduce((sum, text) => sum + text.length + FEATURE_BYTES, ROW_BYTES);
  }

  /** The row as it stands in `rows` of a result. */
  rowText(entityId: string, row: RowData, state: State): string {
    return (
      `{"entity_id":${JSON.stringify(entityId)},"features":${this.#features(row)},` +
      `"revision":${row.slab[row.base + REVISION]!}${this.#provenance(row)}${this.#requestTime(row)}${SUFFIX[state]}`
    );
  }

  /** The row as an `update` message. */
  updateText(topic: number, entityId: string, row: RowData): string {
    return (
      `{"type":"update","topic":${topic},"entity_id":${JSON.stringify(entityId)},` +
      `"revision":${row.slab[row.base + REVISION]!},"features":${this.#features(row)}${this.#provenance(row)}}`
    );
  }

  #provenance({ slab, base }: RowData): string {
    return (
      `,"as_of":${timeText(slab[base + AS_OF]!)},"position":${slab[base + POSITION]!}` +
      `,"event_time":${timeText(slab[base + EVENT_TIME]!)},"computed_at":${timeText(slab[base + COMPUTED_AT]!)}` +
      `,"valid_until":${timeText(slab[base + VALID_UNTIL]!)}`
    );
  }

  #requestTime({ slab, base }: RowData): string {
    const { requestTime } = this.spec;
    return requestTime === null ? '' : `,"request_time":${timeText(slab[base + ROW_HEADER + requestTime]!)}`;
  }

  #features({ slab, base, strings }: RowData): string {
    const { outputs, places } = this.spec;
    const count = places.length;
    if (count === 0) return '{}';
    const first = base + ROW_HEADER;
    let text = '';
    for (let i = 0; i < count; i++) {
      const place = places[i]!;
      text += this.#before[i]!;
      const output = outputs[i]!;
      if (output === 'string') {
        const value = strings?.[place] ?? null;
        text += value === null ? 'null' : JSON.stringify(value);
        continue;
      }
      const value = slab[first + place]!;
      if (!Number.isFinite(value)) text += 'null';
      else if (output === 'bool') text += value === 0 ? 'false' : 'true';
      else if (output === 'timestamp') text += timeText(value);
      else text += value;
    }
    return `${text}}`;
  }
}

/** Selections of one view whose writers are kept. */
const SELECTIONS_KEPT = 256;

/** The writers of all views, each compiled when first asked for. */
export class RowWriters {
  readonly #whole = new WeakMap<View, RowWriter>();
  readonly #selected = new WeakMap<View, Map<string, RowWriter>>();

  /** @param request as for {@link rowSpec} */
  of(view: View, select: number[] | null, request?: readonly number[]): RowWriter {
    if (select !== null || request !== undefined) return this.#ofSelection(view, select, request);
    let writer = this.#whole.get(view);
    if (writer === undefined) {
      writer = new RowWriter(rowSpec(view, null));
      this.#whole.set(view, writer);
    }
    return writer;
  }

  #ofSelection(view: View, select: number[] | null, request?: readonly number[]): RowWriter {
    let writers = this.#selected.get(view);
    if (writers === undefined) {
      writers = new Map();
      this.#selected.set(view, writers);
    }
    const key = `${select?.join() ?? '*'};${request?.join() ?? ''}`;
    let writer = writers.get(key);
    if (writer === undefined) {
      // Clients choose selections freely; the oldest makes room.
      if (writers.size >= SELECTIONS_KEPT) writers.delete(writers.keys().next().value!);
      writer = new RowWriter(rowSpec(view, select, request));
      writers.set(key, writer);
    }
    return writer;
  }
}
