/** Words for error sentences: names in quotes, lists of what there is, and a guess at what was meant. */

const SHOWN_NAMES = 24;
const SHOWN_CHARACTERS = 64;

/** `text` in double quotes, cut where it is long, so that hostile input cannot fill a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
}

/** The names with commas between, cut where there are many; `nothing` where there is none. */
export function listOf(names: Iterable<string>): string {
  const all = [...names];
  if (all.length === 0) return 'nothing';
  const shown = all.slice(0, SHOWN_NAMES).join(', ');
  return all.length > SHOWN_NAMES ? `${shown} and ${all.length - SHOWN_NAMES} more` : shown;
}

/** The candidate that a misspelt name most likely means, or null where none is near. */
export function closest(name: string, candidates: Iterable<string>): string | null {
  if (name.length > SHOWN_CHARACTERS) return null;
  const plain = normalise(name);
  let best: string | null = null;
  // A third of the letters may be wrong, at most three; two letters say too little to guess from.
  let bound = plain.length < 3 ? 0 : Math.min(3, Math.max(1, Math.floor(plain.length / 3)));
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - plain.length) > bound) continue;
    const distance = editDistance(plain, normalise(candidate));
    if (distance > bound || (best !== null && distance === bound)) continue;
    best = candidate;
    bound = distance;
    if (distance === 0) break;
  }
  return best;
}

/** `; did you mean "mean"?`, or nothing where no candidate is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const guess = closest(name, candidates);
  return guess === null ? '' : `; did you mean ${quote(guess)}?`;
}

const normalise = (name: string): string => name.toLowerCase().replaceAll(/[-\s]/g, '_');

/** Insertions, deletions, replacements and swaps of neighbours between two short texts. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
