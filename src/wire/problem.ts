/** Errors as problem documents (RFC 9457). */
import type { Static } from 'typebox';
import { ERRORS, type HeadraceError } from '../errors.ts';
import type { Problem } from './bodies.ts';

export const PROBLEM_TYPE = 'application/problem+json';

export function problemText(error: HeadraceError): string {
  const { message, ...rest } = error.body();
  const problem: Static<typeof Problem> = {
    type: `urn:headrace:error:${error.code}`,
    title: ERRORS[error.code].title,
    status: error.http,
    detail: message,
    ...rest,
  };
  return JSON.stringify(problem);
}
