/**
 * A worker as the protocol of the frames has it, without a process: it decodes the real frames, keeps the events of its
 * shards in plain arrays, reads the real log where it was told too little, and computes with the plain function.
 *
 * What the protocol leaves open it uses against the engine: rows that carry a lease which the engine has taken back, or
 * none, hold nonsense.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Plan } from '../../src/registry/view.ts';
import type { SchemaSpec } from '../../src/store/log-row.ts';
import { type Column, ColumnReader, encodeColumns } from '../../src/wire/columns.ts';
import {
  type AssignHeader,
  encodeFrame,
  type Frame,
  type GroupHeader,
  type ValuesHeader,
  type WorkHeader,
} from '../../src/wire/frames.ts';
import { computeValue, type Known, type Scalar, type Value } from './value-of.ts';

/** What no event ever brings about. */
const NONSENSE = -666_666;

interface Kept extends Known {
  codes: ReadonlyMap<string, number>;
}

/** An event as log and frames hold it. */
interface Stored extends Kept {
  late: boolean;
}

interface LogLine {
  schema: number;
  n: number;
  first: number;
  late: Uint8Array | null;
  columns: Uint8Array;
  positions: Uint8Array | null;
}

/** Faults that the worker decides upon by chance. */
export interface Moods {
  /** The whole frame fails. */
  failsFrame(): boolean;
  /** It computes with what it had before the frame, and says so. */
  lagsBehind(): boolean;
  /** One group of a frame fails. */
  failsGroup(): boolean;
}

export class ModelWorker {
  #position = 0;
  #plans: Record<string, Plan> = {};
  #schemas: Record<string, SchemaSpec> = {};
  /** Texts by code, as far as frames or log have told. */
  readonly #dictionaries = new Map<string, string[]>();
  /** By shard, the events of its entities. */
  readonly #shards = new Map<number, { lease: number; events: Kept[] }>();
  #shardCount = 1;
  readonly #log: DatabaseSync;
  readonly #moods: Moods;

  constructor(log: DatabaseSync, moods: Moods) {
    this.#log = log;
    this.#moods = moods;
  }

  /**
   * @param outdated owned shards whose lease the engine has taken back meanwhile
   * @returns the answer, if the frame has one
   */
  handle(frame: Frame, outdated: ReadonlySet<number>): Uint8Array | null {
    switch (frame.type) {
      case 'reload':
        this.#plans = frame.header.plans;
        this.#schemas = frame.header.schemas;
        return null;
      case 'assign':
        return this.#assign(frame.header);
      case 'apply':
      case 'compute':
        return this.#work(frame.header, frame.body, outdated);
      default:
        return null;
    }
  }

  /** Pairs [shard, lease] as the worker holds them. */
  get leases(): [number, number][] {
    return [...this.#shards].map(([shard, { lease }]) => [shard, lease]);
  }

  #assign({ position, shard_count, shards }: AssignHeader): Uint8Array {
    const target = Math.max(position, this.#position);
    const wanted = new Map(shards);
    this.#shardCount = shard_count;
    for (const shard of [...this.#shards.keys()]) if (!wanted.has(shard)) this.#shards.delete(shard);
    this.#take(this.#read(this.#position, target), this.#shards.keys());
    const fresh: number[] = [];
    for (const [shard, lease] of wanted) {
      const owned = this.#shards.get(shard);
      if (owned !== undefined) owned.lease = lease;
      else {
        this.#shards.set(shard, { lease, events: [] });
        fresh.push(shard);
      }
    }
    this.#take(this.#read(0, target), fresh);
    this.#position = target;
    return encodeFrame('ready', { position: target, rows: this.#rows(), load_ms: 1 });
  }

  #work(header: WorkHeader, body: Uint8Array, outdated: ReadonlySet<number>): Uint8Array {
    if (this.#moods.failsFrame()) {
      // What it has taken in is unknown now: all of it is read again.
      for (const shard of this.#shards.values()) shard.events = [];
      this.#position = 0;
      return encodeFrame('error', { id: header.id, code: 'internal', message: 'the model fails' });
    }
    for (const { name, from, values } of header.dictionaries ?? []) {
      const texts = this.#dictionaries.get(name);
      if (texts !== undefined && from <= texts.length) texts.splice(from, texts.length, ...values);
    }
    const lags = this.#moods.lagsBehind();
    if (!lags && header.previous > this.#position) {
      this.#take(this.#read(this.#position, header.position), this.#shards.keys());
      this.#position = header.position;
    }
    const reader = new ColumnReader(body);
    for (const { schema, position, n, late } of header.batches ?? []) {
      const positions = Float64Array.from({ length: n }, (_, i) => position - n + 1 + i);
      const events = decode(this.#schemas[schema]!, reader, positions, new Set(late));
      if (lags) continue;
      this.#take(
        events.filter((event) => event.position > this.#position),
        this.#shards.keys(),
      );
      this.#position = Math.max(this.#position, position);
    }
    if (!lags) this.#position = Math.max(this.#position, header.position);
    const codes = header.groups.map(({ n }) => reader.i4(n).slice());
    const answers: ValuesHeader['groups'] = [];
    const blocks: Uint8Array[] = [];
    for (const [i, group] of header.groups.entries()) {
      const position = group.position === null ? this.#position : Math.min(this.#position, group.position);
      const answer = { hash: group.hash, as_of: group.as_of, position, n: group.n };
      if (this.#moods.failsGroup()) {
        answers.push({ ...answer, error: { code: 'internal', message: 'the model fails' } });
      } else {
        answers.push(answer);
        blocks.push(this.#block(group, position, codes[i]!, outdated));
      }
    }
    const values = { id: header.id, position: this.#position, took_us: 1, groups: answers };
    return encodeFrame('values', values, blocks);
  }

  #block(group: GroupHeader, position: number, codes: Int32Array, outdated: ReadonlySet<number>): Uint8Array {
    const plan = this.#plans[group.hash]!;
    const leases = Uint32Array.from(codes, (code) => this.#shards.get(this.#shardOf(code))?.lease ?? 0);
    const values = Array.from(codes, (code, i): Value => {
      const nonsense = code >= 0 && (leases[i] === 0 || outdated.has(this.#shardOf(code)));
      return nonsense ? nonsenseOf(plan) : computeValue(plan, this.#eventsOf(plan, code, position), group.as_of);
    });
    const times = (time: (value: Value) => number | null): Column => {
      return { dtype: 'i8', values: Float64Array.from(values, (value) => time(value) ?? Number.NaN) };
    };
    const columns: Column[] = [
      { dtype: 'i4', values: codes },
      { dtype: 'u4', values: leases },
      times(({ validUntil }) => validUntil),
      times(({ eventTime }) => eventTime),
    ];
    for (const [place, feature] of plan.features.entries()) {
      const column = values.map(({ features }) => features[place]!);
      if (feature.output === 'string') {
        const name = feature.type === 'statistical' ? `${feature.source}.${feature.field}` : '';
        columns.push({ dtype: 'str', values: column.map((code) => (code === null ? null : this.#text(name, code))) });
      } else {
        const numbers = Float64Array.from(column, (value) => (value ?? 0) as number);
        columns.push({ dtype: feature.output === 'float64' ? 'f8' : 'i8', values: numbers });
      }
      columns.push({ dtype: 'u1', values: Uint8Array.from(column, (value) => (value === null ? 0 : 1)) });
    }
    return encodeColumns(columns);
  }

  #text(dictionary: string, code: Scalar): string {
    if (code === NONSENSE) return 'nonsense';
    let texts = this.#dictionaries.get(dictionary);
    if (texts === undefined || (code as number) >= texts.length) {
      texts = this.#log
        .prepare('SELECT value FROM dictionary WHERE name = ? ORDER BY code')
        .all(dictionary)
        .map((row) => row['value'] as string);
      this.#dictionaries.set(dictionary, texts);
    }
    return texts[code as number]!;
  }

  #eventsOf(plan: Plan, code: number, position: number): Kept[] {
    if (code < 0) return [];
    const events = this.#shards.get(this.#shardOf(code))!.events;
    return events.filter(
      (event) =>
        event.codes.get(plan.entity) === code &&
        event.position <= position &&
        plan.sources.some(({ name }) => name === event.source),
    );
  }

  #take(events: readonly Stored[], shards: Iterable<number>): void {
    const into = new Set(shards);
    for (const event of events) {
      if (event.late) continue;
      const touched = new Set([...event.codes.values()].map((code) => this.#shardOf(code)));
      for (const shard of touched) if (into.has(shard)) this.#shards.get(shard)!.events.push(event);
    }
  }

  /** The events of the log in `(after, until]`. */
  #read(after: number, until: number): Stored[] {
    const lines = this.#log
      .prepare(
        `SELECT schema, n, first, late, columns, positions FROM log
         WHERE position > ? AND first <= ? ORDER BY position`,
      )
      .all(after, until) as unknown as LogLine[];
    return lines.flatMap(({ schema, n, first, late, columns, positions }) => {
      const at = positions === null ? Float64Array.from({ length: n }, (_, i) => first + i) : readI8(positions, n);
      const isLate = (i: number) => late !== null && (late[i >> 3]! & (1 << (i & 7))) !== 0;
      const lateAt = new Set([...at.keys()].filter(isLate));
      const events = decode(this.#schemas[schema]!, new ColumnReader(columns), at, lateAt);
      return events.filter(({ position }) => position > after && position <= until);
    });
  }

  #shardOf(code: number): number {
    return code < 0 ? 0 : code % this.#shardCount;
  }

  #rows(): number {
    return [...this.#shards.values()].reduce((sum, { events }) => sum + events.length, 0);
  }
}

const readI8 = (bytes: Uint8Array, n: number): Float64Array => new ColumnReader(bytes).i8(n);

function decode(
  { source, columns }: SchemaSpec,
  reader: ColumnReader,
  positions: Float64Array,
  late: ReadonlySet<number>,
): Stored[] {
  const n = positions.length;
  const events = Array.from(positions, (position, i) => ({
    source,
    ts: 0,
    position,
    late: late.has(i),
    codes: new Map<string, number>(),
    fields: {} as Record<string, Scalar>,
  }));
  for (const { name, dtype } of columns) {
    const values = dtype === 'i8' ? reader.i8(n) : dtype === 'i4' ? reader.i4(n).slice() : reader.f8(n).slice();
    for (const [i, event] of events.entries()) {
      const value = values[i]!;
      if (name === '@timestamp') event.ts = value;
      else if (name.startsWith('@')) event.codes.set(name.slice(1), value);
      else event.fields[name] = Number.isNaN(value) || (dtype === 'i4' && value < 0) ? null : value;
    }
  }
  return events;
}

function nonsenseOf(plan: Plan): Value {
  return { features: plan.features.map(() => NONSENSE), validUntil: null, eventTime: null };
}
