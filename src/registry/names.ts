import { LIMITS, RESERVED_NAMES } from './grammar.ts';
import type { Entry, Reader } from './reader.ts';
import { quote } from './suggest.ts';

const NAME = /^[a-z][a-z0-9_]*$/;
const COLUMN = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Reports a name that is not lower_snake or too long. */
export function checkName(reader: Reader, at: { offset: number; path: string }, name: string): void {
  if (name.length > LIMITS.name_characters) {
    reader.report(at, `the name ${quote(name)} is too long; a name has at most ${LIMITS.name_characters} characters`);
    return;
  }
  if (NAME.test(name)) return;
  const plain = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[-\s.]+/g, '_');
  const fix = NAME.test(plain) ? `; write ${plain}` : '';
  reader.report(at, `${quote(name)} is no name: small letters, digits and _ , beginning with a letter${fix}`);
}

/** As {@link checkName}, for a feature, which expressions must be able to name. */
export function checkFeatureName(reader: Reader, entry: Entry): void {
  checkName(reader, entry.key, entry.name);
  if (!RESERVED_NAMES.includes(entry.name)) return;
  reader.report(entry.key, `${quote(entry.name)} means something else in an expression; call it otherwise`);
}

/** The version of the view that a service is compiled into. */
export const SERVICE_VERSION = 'service';

/** What a feature is called in a service that does not list it but needs it; no name that is declared looks like it. */
export const hiddenName = (view: string, version: string, feature: string): string => `${view}@${version}:${feature}`;

export const isHidden = (name: string): boolean => name.includes('@');

/** The sentence that says why an event's column cannot be called that, or null. The case is the producer's own. */
export function columnProblem(name: string): string | null {
  if (COLUMN.test(name) && name.length <= LIMITS.name_characters && name !== '__proto__') return null;
  return `${quote(name)} is no column name: letters, digits and _ , beginning with no digit, at most ${LIMITS.name_characters}`;
}
