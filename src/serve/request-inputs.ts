import { HeadraceError } from '../errors.ts';
import { asText, fieldValue, mismatch } from '../ingest/scalars.ts';
import { SERVICE_VERSION } from '../registry/names.ts';
import { didYouMean, listOf, quote } from '../registry/suggest.ts';
import type { RequestInput, View } from '../registry/view.ts';

/** The value of an input as expressions read it: true is 1, a time is in microseconds, a category is a text. */
export type InputValue = number | string | null;

/**
 * What a request brings, typed as the fields of events are. What the view declares and this version does not use is
 * checked and left out, so that one request suits all versions.
 *
 * @param request null and what is left out are null
 * @returns the inputs in the order of the view's plan
 * @throws HeadraceError `unknown_input` or `invalid_input`
 */
export function readInputs(view: View, request: Record<string, unknown> = {}): InputValue[] {
  const inputs = view.plan.request?.inputs ?? [];
  const unused = view.unusedInputs ?? [];
  const values = new Array<InputValue>(inputs.length).fill(null);
  for (const name of Object.keys(request)) {
    const at = inputs.findIndex((input) => input.name === name);
    const input = inputs[at] ?? unused.find((one) => one.name === name);
    if (input === undefined) throw unknown(view, name, [...inputs, ...unused]);
    const value = readInput(input, request[name]);
    if (at >= 0) values[at] = value;
  }
  return values;
}

function readInput(input: RequestInput, given: unknown): InputValue {
  if (given === null || given === undefined) return null;
  const field = { name: `request.${input.name}`, type: input.type };
  const value = input.type === 'category' ? (asText(given) ?? mismatch(field, given)) : fieldValue(field, given);
  if (typeof value !== 'object') return value;
  throw new HeadraceError('invalid_input', value.message, { data: { path: field.name } });
}

function unknown(view: View, name: string, inputs: RequestInput[]): HeadraceError {
  const names = inputs.map((input) => input.name);
  const there = names.length === 0 ? 'it takes none; leave request out' : `there is ${listOf(names)}`;
  const who = view.version === SERVICE_VERSION ? `Service ${view.name}` : `View ${view.name}@${view.version}`;
  return new HeadraceError('unknown_input', `${who} has no input ${quote(name)}; ${there}${didYouMean(name, names)}`);
}
