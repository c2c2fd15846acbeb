/** The source and view of meters.yaml: what to send, and what must come back. */
import * as assert from 'uvu/assert';
import type { Message } from './client.ts';

const HOUR_MS = 3_600_000;
const RETENTION_MS = 7 * 24 * HOUR_MS;

export const START_MS = Date.parse('2024-03-01T00:00:00Z');

export interface Reading {
  at: number;
  meter: string;
  value: number;
  label?: string;
}

/** A reading whose place in the log is known. */
export interface Known extends Reading {
  position: number;
}

/** What an accepted batch says of its readings: they stand together and end at the position of the answer. */
export function known(readings: readonly Reading[], position: number): Known[] {
  return readings.map((reading, i) => ({ ...reading, position: position - readings.length + 1 + i }));
}

/** The features of `use` v2 but `label_last`: a pure function of the readings, the meter, the moment and the position. */
export function oracle(readings: readonly Known[], meter: string, asOfMs: number, position: number): Message {
  const own = readings
    .filter(
      (one) => one.meter === meter && one.position <= position && one.at <= asOfMs && one.at > asOfMs - RETENTION_MS,
    )
    .sort((a, b) => a.at - b.at || a.position - b.position);
  const hour = own.filter(({ at }) => at > asOfMs - HOUR_MS).map(({ value }) => value);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return {
    readings_1h: hour.length,
    sum_1h: sum(hour),
    max_1h: hour.length === 0 ? null : Math.max(...hour),
    mean_1h: hour.length === 0 ? null : sum(hour) / hour.length,
    last: own.at(-1)?.value ?? null,
    readings_all: own.length,
    sum_all: sum(own.map(({ value }) => value)),
  };
}

export const ORACLE_FEATURES = ['readings_1h', 'sum_1h', 'max_1h', 'mean_1h', 'last', 'readings_all', 'sum_all'];

/** Holds one served row to the oracle, at the moment and position that the row itself names. */
export function checkRow(readings: readonly Known[], row: Message): void {
  const wanted = oracle(readings, row.entity_id, Date.parse(row.as_of), row.position);
  assert.equal(row.features, wanted, `${row.entity_id} as of ${row.as_of} at position ${row.position}`);
}

/** Numbers that are the same in every run with the same seed. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Readings of random meters, a little out of order, around a time that moves on. */
export class Readings {
  readonly #random: () => number;
  readonly #meters: number;
  #nowMs = START_MS;

  constructor(random: () => number, meters: number) {
    this.#random = random;
    this.#meters = meters;
  }

  batch(n: number): Reading[] {
    return Array.from({ length: n }, () => {
      this.#nowMs += Math.floor(this.#random() * 20_000);
      return {
        at: this.#nowMs - Math.floor(this.#random() * 600_000),
        meter: this.anyMeter(),
        value: Math.floor(this.#random() * 1000),
      };
    });
  }

  anyMeter(): string {
    return `m${Math.floor(this.#random() * this.#meters)}`;
  }
}
