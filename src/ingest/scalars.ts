/** Single values as events carry them: each is a number for its field (NaN: null) or a {@link Problem}. */
import { HeadraceError } from '../errors.ts';
import type { Field } from '../registry/view.ts';
import { parseTime } from '../wire/time.ts';
import type { Problem } from './rejections.ts';

const NUMERIC = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const NOT_FINITE = /^[+-]?(nan|inf|infinity)$/i;
const EPOCH_MS = /^\d{9,}(\.\d+)?$/;

export const EXPECTED = {
  float: 'a number',
  int: 'a whole number',
  bool: 'true or false',
  timestamp: 'a time',
  category: 'text',
} as const;

/** A value as a message shows it. */
export function shown(value: unknown): string {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
      : typeof value === 'object'
        ? Array.isArray(value)
          ? 'an array'
          : 'an object'
        : String(value);
  return text;
}

export function mismatch(field: Field, value: unknown): Problem {
  return { code: 'invalid_field', message: `${field.name} is ${shown(value)}, expected ${EXPECTED[field.type]}` };
}

function notFinite(field: Field, found: string): Problem {
  return {
    code: 'not_finite',
    message: `${field.name} is ${found}; expected ${EXPECTED[field.type]}, or null where there is none`,
  };
}

/** A number that a float, int, bool or timestamp field was given. */
export function fieldNumber(field: Field, value: number): number | Problem {
  if (field.type === 'bool') return mismatch(field, value);
  if (!Number.isFinite(value)) return notFinite(field, String(value));
  if (field.type === 'timestamp') return fieldTime(field, value);
  if (field.type === 'int' && !Number.isSafeInteger(value)) {
    return Number.isInteger(value) ? unsafe(field, value) : mismatch(field, value);
  }
  return value;
}

export function unsafe(field: Field, value: unknown): Problem {
  return {
    code: 'invalid_field',
    message: `${field.name} is ${value}, beyond ±(2^53 − 1), where whole numbers are no longer exact`,
  };
}

function fieldTime(field: Field, value: unknown): number | Problem {
  const time = timeValue(value);
  return typeof time === 'number' ? time : { code: time.code, message: `${field.name}: ${time.message}` };
}

/** Microseconds of an event's time. */
export function timeValue(value: unknown): number | Problem {
  try {
    return parseTime(value);
  } catch (error) {
    if (error instanceof HeadraceError) return { code: error.code, message: error.message };
    throw error;
  }
}

/** A value of JSON or MessagePack; texts are numbers only where the field is a time. */
export function fieldValue(field: Field, value: unknown): number | Problem {
  if (value === null || value === undefined) return Number.NaN;
  switch (typeof value) {
    case 'number':
      return fieldNumber(field, value);
    case 'boolean':
      return field.type === 'bool' ? Number(value) : mismatch(field, value);
    case 'bigint': {
      const number = Number(value);
      return Number.isSafeInteger(number) ? fieldNumber(field, number) : unsafe(field, value);
    }
    case 'string':
      if (field.type === 'timestamp') return fieldTime(field, value);
      return NOT_FINITE.test(value) ? notFinite(field, `the text ${shown(value)}`) : mismatch(field, value);
    default:
      return mismatch(field, value);
  }
}

/** A cell of a file whose values are all texts (CSV, NDJSON): texts that read as the field's type are taken. */
export function fieldText(field: Field, text: string): number | Problem {
  if (field.type === 'timestamp') return fieldTime(field, EPOCH_MS.test(text) ? Number(text) : text);
  if (field.type === 'bool') {
    const lower = text.toLowerCase();
    return lower === 'true' ? 1 : lower === 'false' ? 0 : mismatch(field, text);
  }
  if (NUMERIC.test(text)) return fieldNumber(field, Number(text));
  return fieldValue(field, text);
}

/** Microseconds of an event's time in a file whose values are all texts. */
export function timeText(text: string): number | Problem {
  return timeValue(EPOCH_MS.test(text) ? Number(text) : text);
}

/** The text of a value that may be an entity id or a category; undefined where it is neither text nor whole number. */
export function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'bigint') return String(value);
  return undefined;
}
