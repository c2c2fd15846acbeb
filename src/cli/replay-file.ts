import type { RecordBatch } from 'apache-arrow';
import type { Micros } from '../clock.ts';
import { ArrowColumns } from '../ingest/arrow-columns.ts';
import { Rejections } from '../ingest/rejections.ts';
import type { Field } from '../registry/view.ts';
import { formatTime } from '../wire/time.ts';
import type { SourceShape } from './engine-client.ts';

type Value = string | number | boolean | null;

/** The events of a file in memory, by column, as they go into a message. */
export class ReplayFile {
  /** Microseconds; an event without a readable time has that of the one before it. */
  readonly times: Float64Array;
  readonly #timestamp: string;
  readonly #columns: Map<string, Value[]>;
  /** Times that cannot be read go out as they are, for the engine to reject. */
  readonly #unreadable: Map<number, Value>;

  private constructor(
    times: Float64Array,
    timestamp: string,
    columns: Map<string, Value[]>,
    unreadable: Map<number, Value>,
  ) {
    this.times = times;
    this.#timestamp = timestamp;
    this.#columns = columns;
    this.#unreadable = unreadable;
  }

  /** @param start the time of events before the first readable one */
  static async read(batches: AsyncIterable<RecordBatch>, source: SourceShape, start: Micros): Promise<ReplayFile> {
    const times: number[] = [];
    const columns = new Map<string, Value[]>();
    const unreadable = new Map<number, Value>();
    const fields = new Map(source.fields.map((field) => [field.name, field]));
    const keys = source.keys.flatMap(({ template }) => template.filter((_, i) => i % 2 === 1));
    const names = new Set([...keys, ...fields.keys()]);
    names.delete(source.timestamp);
    for (const name of names) columns.set(name, []);

    let last = start;
    for await (const batch of batches) {
      const rejections = new Rejections();
      const events = new ArrowColumns(batch, rejections);
      const read = events.times(source.timestamp, rejections);
      for (let i = 0; i < events.n; i++) {
        if (rejections.has(i)) unreadable.set(times.length, rawOf(events, source.timestamp, i));
        else last = read[i]!;
        times.push(last);
      }
      for (const [name, values] of columns) append(values, events, fields.get(name) ?? { name, type: 'category' });
    }
    return new ReplayFile(Float64Array.from(times), source.timestamp, columns, unreadable);
  }

  get n(): number {
    return this.times.length;
  }

  /** The events from `from` to before `to` as the columns of an `ingest` message, their times moved by `shift`. */
  columns(from: number, to: number, shift: Micros): Record<string, Value[]> {
    const times: Value[] = [];
    for (let i = from; i < to; i++) {
      times.push(this.#unreadable.has(i) ? this.#unreadable.get(i)! : formatTime(this.times[i]! + shift));
    }
    const columns: Record<string, Value[]> = { [this.#timestamp]: times };
    for (const [name, values] of this.#columns) columns[name] = values.slice(from, to);
    return columns;
  }
}

function append(values: Value[], events: ArrowColumns, field: Field): void {
  const { n } = events;
  if (field.type === 'category') {
    for (let i = 0; i < n; i++) values.push(rawOf(events, field.name, i));
    return;
  }
  const rejections = new Rejections();
  const numbers = events.numbers(field, rejections);
  for (let i = 0; i < n; i++) {
    const number = numbers[i]!;
    if (rejections.has(i)) values.push(rawOf(events, field.name, i));
    else if (Number.isNaN(number)) values.push(null);
    else if (field.type === 'bool') values.push(number === 1);
    else values.push(field.type === 'timestamp' ? formatTime(number) : number);
  }
}

/** A value as the file has it. */
function rawOf(events: ArrowColumns, name: string, i: number): Value {
  const distinct = events.distinct(name);
  if (distinct === null) return null;
  const value = distinct.values[distinct.places === null ? i : distinct.places[i]!];
  // JSON has no NaN and no infinity: their names are rejected as such.
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : ((value ?? null) as Value);
}
