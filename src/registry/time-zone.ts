import { didYouMean, quote } from './suggest.ts';

/** Names of the IANA data base as they are spelt there: each part begins with a capital. */
const NAME = /^[A-Z][\w+-]*(\/[A-Z][\w+-]*)*$/;

/** The sentence that says why a text is no time zone, or null. */
export function zoneProblem(zone: string): string | null {
  if (NAME.test(zone) && isKnown(zone)) return null;
  const guess = didYouMean(zone, [...Intl.supportedValuesOf('timeZone'), 'UTC']);
  return `unknown time zone ${quote(zone)}, expected an IANA name such as Europe/Paris or UTC${guess}`;
}

function isKnown(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
