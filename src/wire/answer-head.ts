import type { View } from '../registry/view.ts';
import type { Query } from '../serve/query.ts';

/** What an answer says of itself before its values. */
export interface AnswerHead {
  /** `{"view":…,"version":…,` */
  opening: string;
  /** `,"view":…,"version":…,"rows":` */
  inside: string;
}

const heads = new WeakMap<View, { plain: AnswerHead; warned: AnswerHead }>();

/** Made once a view: the view of a service is served as that service alone. */
export function answerHead({ view, service, deprecated }: Query): AnswerHead {
  let known = heads.get(view);
  if (known === undefined) {
    const of = service === undefined ? '' : `,"service":${JSON.stringify(service)}`;
    const plain = `"view":${JSON.stringify(view.name)},"version":${JSON.stringify(view.version)}${of}`;
    known = { plain: headOf(plain), warned: headOf(`${plain},"deprecated":${JSON.stringify(view.deprecated)}`) };
    heads.set(view, known);
  }
  return deprecated === undefined ? known.plain : known.warned;
}

const headOf = (text: string): AnswerHead => ({ opening: `{${text},`, inside: `,${text},"rows":` });
