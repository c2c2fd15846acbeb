/** Checks messages and bodies against their schemas, and says in one sentence what is wrong. */
import { Ajv, type ErrorObject } from 'ajv';
import type { Static, TSchema } from 'typebox';
import { HeadraceError } from '../errors.ts';

const ajv = new Ajv({ allowUnionTypes: true, verbose: true, strict: true });

/** Narrows `value` or throws `bad_request` that names the path of the bad field, what was found and what is expected. */
export type Check<Schema extends TSchema> = (value: unknown) => Static<Schema>;

/** @param what the message or body as its sender knows it, for the sentence */
export function compileCheck<Schema extends TSchema>(schema: Schema, what: string): Check<Schema> {
  const validate = ajv.compile(schema);
  return (value) => {
    if (validate(value)) return value as Static<Schema>;
    throw new HeadraceError('bad_request', sentence(validate.errors as ErrorObject[], what), {
      data: { path: pathOf((validate.errors as ErrorObject[]).at(-1) as ErrorObject) },
    });
  };
}

function sentence(errors: ErrorObject[], what: string): string {
  // The last error is the outermost: that of the anyOf, where its branches failed.
  const error = errors.at(-1) as ErrorObject;
  const path = pathOf(error);
  if (error.keyword === 'required') return `${what} lacks ${path}; it must be given`;
  const place = path === '' ? what : `${path} of ${what}`;
  return `${place} is ${show(error.data)}; expected ${expected(error, errors)}`;
}

function expected(error: ErrorObject, errors: ErrorObject[]): string {
  switch (error.keyword) {
    case 'type':
      return [error.params['type']].flat().map(article).join(' or ');
    case 'anyOf':
      return [...new Set(errors.slice(0, -1).map((branch) => expected(branch, [])))].join(' or ');
    case 'enum':
      return `one of ${(error.params['allowedValues'] as unknown[]).join(', ')}`;
    case 'const':
      return JSON.stringify(error.params['allowedValue']);
    case 'minItems':
      return `at least ${counted(error, 'item')}`;
    case 'maxItems':
      return `at most ${counted(error, 'item')}`;
    case 'minLength':
      return `at least ${counted(error, 'character')}`;
    case 'maxLength':
      return `at most ${counted(error, 'character')}`;
    case 'minimum':
      return `at least ${limitOf(error)}${instead(error)}`;
    case 'maximum':
      return `at most ${limitOf(error)}${instead(error)}`;
    default:
      return error.message ?? error.keyword;
  }
}

const limitOf = (error: ErrorObject): number => error.params['limit'] as number;

function counted(error: ErrorObject, what: string): string {
  const limit = limitOf(error);
  return limit === 1 ? `one ${what}` : `${limit} ${what}s`;
}

/** What to do with a number that is past those that JSON keeps apart. */
function instead(error: ErrorObject): string {
  if (Math.abs(limitOf(error)) !== Number.MAX_SAFE_INTEGER) return '';
  const { type } = error.parentSchema as { type?: unknown };
  const takesText = Array.isArray(type) && type.includes('string');
  return `, beyond which numbers are not exact${takesText ? '; send it as text' : ''}`;
}

function article(type: string): string {
  if (type === 'null') return 'null';
  return `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** `/entity_ids/3` as `entity_ids[3]`; for a missing field, the field. */
function pathOf(error: ErrorObject): string {
  const parts = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (error.keyword === 'required') parts.push(error.params['missingProperty'] as string);
  return parts.map((part, i) => (/^\d+$/.test(part) ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

const SHOWN_MAX = 60;

/** What a sender sent, short enough for a sentence. */
export function show(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  // Not by JSON, which has no word for the Infinity that 1e999 is read as.
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}… (${text.length} characters)` : text;
}
