import type { CodedColumn } from '../store/log-row.ts';
import type { Texts } from './texts.ts';

/** What ingest needs of the log's dictionaries. */
export interface Codes {
  /** The code of a text in a dictionary (`@ENTITY` or `SOURCE.FIELD`), −1 where it has none yet. */
  codeOf(dictionary: string, text: string): number;
}

const NOT_CODED = -2_147_483_648;

/**
 * Texts as codes; those that the dictionary lacks as places in `fresh`.
 *
 * @param kept the events that are taken, in order; null: all n. What only rejected events name gets no code.
 */
export function coded(texts: Texts, n: number, kept: Int32Array | null, dictionary: string, codes: Codes): CodedColumn {
  const count = kept === null ? n : kept.length;
  const out = new Int32Array(count);
  const fresh: string[] = [];
  let freshCodes: Map<string, number> | null = null;
  const codeOf = (text: string | null): number => {
    if (text === null) return -1;
    const known = codes.codeOf(dictionary, text);
    if (known >= 0) return known;
    freshCodes ??= new Map();
    let code = freshCodes.get(text);
    if (code === undefined) {
      code = -2 - fresh.length;
      fresh.push(text);
      freshCodes.set(text, code);
    }
    return code;
  };

  const { places, values } = texts;
  if (places === null) {
    for (let i = 0; i < count; i++) out[i] = codeOf(values[kept === null ? i : kept[i]!]!);
    return { codes: out, fresh };
  }
  const byPlace = new Int32Array(values.length).fill(NOT_CODED);
  for (let i = 0; i < count; i++) {
    const place = places[kept === null ? i : kept[i]!]!;
    if (place < 0) {
      out[i] = -1;
      continue;
    }
    let code = byPlace[place]!;
    if (code === NOT_CODED) byPlace[place] = code = codeOf(values[place]!);
    out[i] = code;
  }
  return { codes: out, fresh };
}
