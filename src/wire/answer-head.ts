import type { View } from '../registry/view.ts';
import type { Query } from '../serve/query.ts';

interface Heads {
  plain: string;
  warned: string;
}

const heads = new WeakMap<View, Heads>();

/**
 * `"view":…,"version":…` and what else an answer says of itself before its values; made once a view, for the view of a
 * service is served as that service alone.
 */
export function answerHead({ view, service, deprecated }: Query): string {
  let known = heads.get(view);
  if (known === undefined) {
    const of = service === undefined ? '' : `,"service":${JSON.stringify(service)}`;
    const plain = `"view":${JSON.stringify(view.name)},"version":${JSON.stringify(view.version)}${of}`;
    known = { plain, warned: `${plain},"deprecated":${JSON.stringify(view.deprecated)}` };
    heads.set(view, known);
  }
  return deprecated === undefined ? known.plain : known.warned;
}
