/** Compiles a feature service into a view version of its own, made of versions of views. */
import { inputsIn, mapNames } from './expression-tree.ts';
import { LIMITS } from './grammar.ts';
import { hiddenName, isHidden, SERVICE_VERSION } from './names.ts';
import type { Reader } from './reader.ts';
import type { ServiceDraft, ServiceItem } from './services.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { FlatVersion } from './versions.ts';
import type { Expression, PlanFeature, RequestFeature, RequestInput } from './view.ts';
import type { ViewDraft, ViewOptions } from './views.ts';

/** A view with its versions, each with all its features. */
export interface FlatView {
  view: ViewDraft;
  versions: FlatVersion[];
}

/** A service as a view with one version; `size` as in `FeatureService`. */
export interface FlatService {
  options: ViewOptions;
  version: FlatVersion;
  size: number;
}

/** A listed feature that was found. */
interface Target {
  item: ServiceItem;
  view: ViewDraft;
  version: FlatVersion;
}

/** @returns null where a problem was reported, here or with what the service lists */
export function joinService(
  reader: Reader,
  service: ServiceDraft,
  views: ReadonlyMap<string, FlatView>,
): FlatService | null {
  const found = service.items.map((item) => findTarget(reader, item, views));
  const targets = found.filter((target) => target !== null);
  reportRepeats(reader, targets);
  if (!reportEntities(reader, targets) || targets.length < found.length || targets.length === 0) return null;
  const joiner = new Joiner(targets);
  const version = joiner.join();
  if (version === null) return null;
  const problem = joiner.problem ?? sizeProblem(version);
  if (problem !== null) reader.report(service.key, problem);
  reader.spend(version.features.length, service.key);
  const used = targets.map((target) => target.view);
  const options: ViewOptions = {
    name: service.name,
    entity: used[0]!.entity,
    description: service.description,
    ttl: Math.min(...used.map((view) => view.ttl)),
    exact: used.some((view) => view.exact),
    updateAgeOnGet: used.every((view) => view.updateAgeOnGet),
    staleWhileRevalidate: Math.min(...used.map((view) => view.staleWhileRevalidate)),
  };
  return { options, version, size: version.features.filter(({ name }) => !isHidden(name)).length };
}

function findTarget(reader: Reader, item: ServiceItem, views: ReadonlyMap<string, FlatView>): Target | null {
  const flat = views.get(item.view);
  if (flat === undefined) {
    const there = `; the views are ${listOf(views.keys())}`;
    reader.report(item.at, `unknown view ${quote(item.view)}${there}${didYouMean(item.view, views.keys())}`);
    return null;
  }
  const { view, versions } = flat;
  const names = versions.map((version) => version.name);
  const version = item.version === null ? newest(versions) : versions.find(({ name }) => name === item.version);
  if (version === undefined) {
    if (names.length === 0) return null;
    const there = `; view ${view.name} has ${listOf(names)}`;
    reader.report(item.at, `unknown version ${quote(item.version!)}${there}${didYouMean(item.version!, names)}`);
    return null;
  }
  const features = [...version.descriptions.keys()];
  if (version.descriptions.has(item.feature)) return { item, view, version };
  if (version.broken.some((name) => item.feature.startsWith(`${name}_`))) return null;
  const there = `; ${view.name}@${version.name} has ${listOf(features)}`;
  reader.report(item.at, `unknown feature ${quote(item.feature)}${there}${didYouMean(item.feature, features)}`);
  return null;
}

/** The last version that no date makes deprecated: which it is must not change with the clock. */
const newest = (versions: FlatVersion[]): FlatVersion | undefined =>
  versions.findLast((version) => version.deprecated === null) ?? versions.at(-1);

function reportRepeats(reader: Reader, targets: Target[]): void {
  const names = new Set<string>();
  for (const { item } of targets) {
    const { at, name } = item;
    if (names.has(name)) {
      reader.report(
        at,
        `the service has ${quote(name)} already; rename this one, as in { feature: …, as: another_name }`,
      );
    }
    names.add(name);
  }
}

function reportEntities(reader: Reader, targets: Target[]): boolean {
  const first = targets.find(({ view }) => view.entity !== null);
  const others = targets.filter(({ view }) => view.entity !== null && view.entity !== first!.view.entity);
  for (const { item, view } of others) {
    const sentence = `${view.name} is of ${view.entity}, and ${first!.view.name} above of ${first!.view.entity}`;
    reader.report(item.at, `${sentence}; a service has features of one entity: split it`);
  }
  return others.length === 0;
}

function sizeProblem({ features, request }: FlatVersion): string | null {
  const size = features.length + request.length;
  if (size > LIMITS.features_a_version) {
    return `the service has ${size} features with those that they need, and may have ${LIMITS.features_a_version}; split it`;
  }
  if (features.length > 0) return null;
  return 'every feature of the service depends on the request alone; list one of a source too';
}

/** Renames features and what they refer to. */
class Joiner {
  problem: string | null = null;
  readonly #targets: Target[];
  /** By hidden name: what the feature is called in the service. */
  readonly #names = new Map<string, string>();
  /** Each behind what it refers to. */
  readonly #stored = new Map<string, PlanFeature>();
  readonly #request = new Map<string, RequestFeature>();
  readonly #inputs = new Map<string, { input: RequestInput; from: string }>();
  readonly #descriptions = new Map<string, string>();

  constructor(targets: Target[]) {
    this.#targets = targets;
    for (const { item, view, version } of targets) {
      const key = hiddenName(view.name, version.name, item.feature);
      if (!this.#names.has(key)) this.#names.set(key, item.name);
    }
  }

  join(): FlatVersion | null {
    for (const { item, view, version } of this.#targets) {
      if (!this.#add(view, version, item.feature, item.name)) return null;
    }
    const listed = this.#targets.flatMap(({ item }) => this.#stored.get(item.name) ?? []);
    const hidden = [...this.#stored.values()].filter(({ name }) => isHidden(name));
    const features = [...listed, ...hidden];
    const places = new Map(features.map(({ name }, place) => [name, place]));
    const inputs = [...this.#inputs.values()].map(({ input }) => input);
    return {
      name: SERVICE_VERSION,
      deprecated: null,
      broken: [],
      descriptions: this.#descriptions,
      features,
      order: [...this.#stored.keys()].map((name) => places.get(name)!),
      request: [...this.#request.values()],
      inputs,
      unusedInputs: this.#unused(inputs),
    };
  }

  /** What the views of the service declare besides; of one name with two types the first, since nothing reads it. */
  #unused(used: RequestInput[]): RequestInput[] {
    const declared = this.#targets.flatMap(({ version }) => [...version.inputs, ...version.unusedInputs]);
    const first = new Map(declared.toReversed().map((input) => [input.name, input]));
    for (const { name } of used) first.delete(name);
    return [...first.values()].reverse();
  }

  /** @returns whether it is there: where it is wrong itself it is not */
  #add(view: ViewDraft, version: FlatVersion, feature: string, name: string): boolean {
    if (this.#stored.has(name) || this.#request.has(name)) return true;
    this.#descriptions.set(name, isHidden(name) ? '' : version.descriptions.get(feature)!);
    const rename = (expression: Expression): Expression =>
      mapNames(expression, (reference) => {
        const key = hiddenName(view.name, version.name, reference);
        const known = this.#names.get(key) ?? key;
        this.#add(view, version, reference, known);
        return known;
      });
    const stored = version.features.find((one) => one.name === feature);
    if (stored !== undefined) {
      const body = stored.type === 'expression' ? { ...stored, expression: rename(stored.expression) } : stored;
      this.#stored.set(name, { ...body, name });
      return true;
    }
    const request = version.request.find((one) => one.name === feature);
    if (request === undefined) return false;
    this.#addInputs(view, version, request.expression);
    this.#request.set(name, { ...request, name, expression: rename(request.expression) });
    return true;
  }

  #addInputs(view: ViewDraft, version: FlatVersion, expression: Expression): void {
    for (const name of inputsIn(expression)) {
      const input = version.inputs.find((one) => one.name === name)!;
      const other = this.#inputs.get(name);
      if (other === undefined) this.#inputs.set(name, { input, from: view.name });
      else if (other.input.type !== input.type) {
        const types = `${input.type} in ${view.name} and ${other.input.type} in ${other.from}`;
        this.problem = `the input ${quote(name)} is a ${types}; a request can bring one: rename it in one of the views`;
      }
    }
  }
}
