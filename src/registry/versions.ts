/** Joins each version of a view with what it extends. */
import type { FeatureDraft } from './features.ts';
import { LIMITS } from './grammar.ts';
import type { Reader } from './reader.ts';
import { type Settled, Settler } from './settle.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { RequestInput } from './view.ts';
import type { VersionDraft, ViewDraft } from './views.ts';

/** A version with all its features. */
export interface FlatVersion extends Settled {
  name: string;
  /** ISO date. */
  deprecated: string | null;
  unusedInputs: RequestInput[];
  /** Names of features that could not be read and may stand for several with longer names. */
  broken: string[];
  /** By feature; empty where there is none. */
  descriptions: ReadonlyMap<string, string>;
}

export function flattenVersions(reader: Reader, view: ViewDraft): FlatVersion[] {
  const flattener = new Flattener(reader, view);
  const broken = new Set<FeatureDraft>();
  reportTwins(reader, view);
  return view.versions.map((version) => {
    const features = flattener.featuresOf(version);
    reader.spend(features.length, version.key);
    const settled = new Settler(reader, version.name, features, view.inputs, broken).settle();
    const descriptions = new Map(features.map((feature) => [feature.name, feature.description]));
    const unread = features.flatMap(({ name, body }) => (body === null ? [name] : []));
    if (settled.features.length === 0 && settled.request.length > 0 && unread.length === 0) {
      reader.report(version.key, 'every feature of the version depends on the request alone; add one of a source');
    }
    return {
      ...settled,
      name: version.name,
      deprecated: version.deprecated,
      unusedInputs: unusedOf(view, settled),
      broken: unread,
      descriptions,
    };
  });
}

function unusedOf({ inputs }: ViewDraft, { inputs: used }: Settled): RequestInput[] {
  return [...inputs].flatMap(([name, type]) =>
    type === null || used.some((input) => input.name === name) ? [] : [{ name, type }],
  );
}

/** An expression could not tell an input from a feature of its name. */
function reportTwins(reader: Reader, { versions, inputs }: ViewDraft): void {
  for (const { name, key } of versions.flatMap((version) => version.features)) {
    if (inputs.has(name)) reader.report(key, `${quote(name)} is an input of the request too; call one otherwise`);
  }
}

class Flattener {
  readonly #reader: Reader;
  readonly #versions: Map<string, VersionDraft>;
  readonly #flat = new Map<VersionDraft, FeatureDraft[]>();

  constructor(reader: Reader, view: ViewDraft) {
    this.#reader = reader;
    this.#versions = new Map(view.versions.map((version) => [version.name, version]));
  }

  /** The base's features in their order, those declared again in their place, then the new ones. */
  featuresOf(version: VersionDraft): FeatureDraft[] {
    const chain: VersionDraft[] = [];
    for (let next: VersionDraft | null = version; next !== null && !this.#flat.has(next); ) {
      if (chain.includes(next)) {
        this.#circle([...chain.slice(chain.indexOf(next)), next]);
        break;
      }
      chain.push(next);
      next = this.#baseOf(next);
    }
    for (const link of chain.reverse()) {
      const base = this.#baseOf(link);
      const joined = new Map((base === null ? [] : (this.#flat.get(base) ?? [])).map((item) => [item.name, item]));
      for (const feature of link.features) joined.set(feature.name, feature);
      if (joined.size > LIMITS.features_a_version) {
        const most = `a version may have ${LIMITS.features_a_version}; split the view`;
        this.#reader.report(link.key, `version ${link.name} has ${joined.size} features, ${most}`);
      }
      this.#flat.set(link, [...joined.values()]);
    }
    return this.#flat.get(version)!;
  }

  #baseOf(version: VersionDraft): VersionDraft | null {
    if (version.base === null) return null;
    const base = this.#versions.get(version.base.name);
    if (base !== undefined) return base;
    const others = [...this.#versions.keys()].filter((name) => name !== version.name);
    const guess = didYouMean(version.base.name, others);
    const there = `; the other versions of the view are ${listOf(others)}`;
    this.#reader.report(version.base.place, `unknown version ${quote(version.base.name)}${there}${guess}`);
    return null;
  }

  #circle(versions: VersionDraft[]): void {
    const names = versions.map((version) => version.name).join(' → ');
    this.#reader.report(versions[0]!.base!.place, `versions extend each other in a circle: ${names}; break it`);
  }
}
