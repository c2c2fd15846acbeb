/** Joins each version of a view with what it extends, and settles its expressions. */

import type { ExpressionDraft } from './declared.ts';
import { namesIn, toExpression } from './expression.ts';
import { type Complaint, checkKinds, KINDS } from './expression-check.ts';
import type { FeatureDraft } from './features.ts';
import { type Kind, LIMITS } from './grammar.ts';
import type { Reader } from './reader.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { OutputType, PlanFeature } from './view.ts';
import type { VersionDraft, ViewDraft } from './views.ts';

/** A version with all its features; `features` and `order` as in a plan. Only sound where nothing was reported. */
export interface FlatVersion {
  name: string;
  features: PlanFeature[];
  descriptions: string[];
  order: number[];
}

export function flattenVersions(reader: Reader, view: ViewDraft): FlatVersion[] {
  const flattener = new Flattener(reader, view);
  const broken = new Set<FeatureDraft>();
  return view.versions.map((version) => {
    const features = flattener.featuresOf(version);
    reader.spend(features.length, version.key);
    const settled = new Settler(reader, version.name, features, broken).settle();
    return { ...settled, name: version.name, descriptions: features.map((feature) => feature.description) };
  });
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

/** Orders the features of one version and turns its expressions into trees. */
class Settler {
  readonly #reader: Reader;
  readonly #version: string;
  readonly #features: FeatureDraft[];
  readonly #index: ReadonlyMap<string, number>;
  readonly #order: number[] = [];
  readonly #outputs = new Map<string, OutputType>();
  /** Under way: the path from an expression to what it needs. */
  readonly #path: number[] = [];
  readonly #done: (PlanFeature | null)[];
  readonly #visited = new Set<number>();
  readonly #broken: Set<FeatureDraft>;

  /** @param broken features with a reported problem, which another version that inherits them does not repeat */
  constructor(reader: Reader, version: string, features: FeatureDraft[], broken: Set<FeatureDraft>) {
    this.#reader = reader;
    this.#version = version;
    this.#features = features;
    this.#index = new Map(features.map((feature, i) => [feature.name, i]));
    this.#done = features.map(() => null);
    this.#broken = broken;
  }

  settle(): { features: PlanFeature[]; order: number[] } {
    for (let i = 0; i < this.#features.length; i++) this.#visit(i);
    return { features: this.#done.filter((feature) => feature !== null), order: this.#order };
  }

  #visit(i: number): void {
    if (this.#visited.has(i)) return;
    this.#visited.add(i);
    const draft = this.#features[i]!;
    const { body, name } = draft;
    this.#path.push(i);
    if (body !== null && !this.#broken.has(draft)) {
      this.#done[i] = 'syntax' in body ? this.#expression(draft, body) : body;
    }
    this.#path.pop();
    const done = this.#done[i];
    if (done != null) this.#outputs.set(name, done.output);
    this.#order.push(i);
  }

  #expression(feature: FeatureDraft, draft: ExpressionDraft): PlanFeature | null {
    const complaints: Complaint[] = [];
    const named = namesIn(draft.syntax);
    if (named.length === 0) complaints.push({ at: 0, message: 'the expression names no feature; name one' });
    for (const reference of named) {
      const i = this.#index.get(reference.name);
      if (i === undefined && this.#maybeBroken(reference.name)) continue;
      if (i === undefined) complaints.push({ at: reference.at, message: this.#unknown(reference.name) });
      else if (this.#path.includes(i)) complaints.push({ at: reference.at, message: this.#circle(i) });
      else this.#visit(i);
    }
    const kindOf = (name: string): Kind | null => {
      const output = this.#outputs.get(name);
      return output === undefined ? null : KINDS[output];
    };
    const kind = checkKinds(draft.syntax, kindOf, (complaint) => complaints.push(complaint));
    for (const { at, message } of complaints) {
      const where = `character ${at + 1} of the expression, in version ${this.#version}`;
      this.#reader.report(draft.placeOf(at), `${message} (${where})`);
    }
    if (complaints.length > 0) this.#broken.add(feature);
    if (complaints.length > 0 || kind === null) return null;
    const output = kind === 'bool' ? 'bool' : 'float64';
    return {
      name: feature.name,
      type: 'expression',
      output,
      expression: toExpression(draft.syntax, ['now'], (name) => ['ref', name]),
    };
  }

  /** Whether a feature that could not be read may have stood for several, with this one among them. */
  #maybeBroken(name: string): boolean {
    return this.#features.some((feature) => feature.body === null && name.startsWith(`${feature.name}_`));
  }

  #unknown(name: string): string {
    const guess = didYouMean(name, this.#index.keys());
    return `unknown feature ${quote(name)}; there is ${listOf(this.#index.keys())}${guess}`;
  }

  #circle(to: number): string {
    const path = [...this.#path.slice(this.#path.indexOf(to)), to].map((i) => this.#features[i]!.name);
    if (path.length === 2) return `${path[0]} refers to itself; take another feature`;
    return `features refer to each other in a circle: ${path.join(' → ')}; break it`;
  }
}
