/** Settles what the expressions of one version refer to. */
import type { ExpressionDraft } from './declared.ts';
import { namesIn, type Syntax, toExpression } from './expression.ts';
import { type Complaint, checkKinds, FIELD_KINDS, KINDS } from './expression-check.ts';
import { inputsIn, nodesOf } from './expression-tree.ts';
import type { FeatureDraft } from './features.ts';
import type { Kind } from './grammar.ts';
import type { Reader } from './reader.ts';
import type { Inputs } from './request-features.ts';
import { didYouMean, listOf, quote } from './suggest.ts';
import type { Expression, ExpressionFeature, Operator, PlanFeature, RequestFeature, RequestInput } from './view.ts';

/** The features of one version as in a plan; only sound where nothing was reported. */
export interface Settled {
  features: PlanFeature[];
  order: number[];
  /** Those that depend on the request, each after what it refers to. */
  request: RequestFeature[];
  /** The inputs that they use, as declared. */
  inputs: RequestInput[];
}

/** A stored feature, or one that depends on the request. */
type Done = { stored: PlanFeature } | { request: RequestFeature };

/**
 * Orders the features of one version, turns its expressions into trees and tells those apart that depend on the request:
 * by its time, by an input, or by a feature that does.
 */
export class Settler {
  readonly #reader: Reader;
  readonly #version: string;
  readonly #features: FeatureDraft[];
  readonly #inputs: Inputs;
  readonly #index: ReadonlyMap<string, number>;
  readonly #order: number[] = [];
  /** Under way: the path from an expression to what it needs. */
  readonly #path: number[] = [];
  readonly #done: (Done | null)[];
  readonly #visited = new Set<number>();
  readonly #broken: Set<FeatureDraft>;

  /** @param broken features with a reported problem, which another version that inherits them does not repeat */
  constructor(reader: Reader, version: string, features: FeatureDraft[], inputs: Inputs, broken: Set<FeatureDraft>) {
    this.#reader = reader;
    this.#version = version;
    this.#features = features;
    this.#inputs = inputs;
    this.#index = new Map(features.map((feature, i) => [feature.name, i]));
    this.#done = features.map(() => null);
    this.#broken = broken;
  }

  settle(): Settled {
    for (let i = 0; i < this.#features.length; i++) this.#visit(i);
    const stored = this.#done.flatMap((done, i) => (done !== null && 'stored' in done ? [i] : []));
    const request = this.#order.flatMap((i) => {
      const done = this.#done[i];
      return done != null && 'request' in done ? [done.request] : [];
    });
    const used = new Set(request.flatMap(({ expression }) => inputsIn(expression)));
    const places = new Map(stored.map((i, place) => [i, place]));
    return {
      features: this.#done.flatMap((done) => (done !== null && 'stored' in done ? [done.stored] : [])),
      order: this.#order.flatMap((i) => places.get(i) ?? []),
      request,
      inputs: [...this.#inputs].flatMap(([name, type]) => (type !== null && used.has(name) ? [{ name, type }] : [])),
    };
  }

  #visit(i: number): void {
    if (this.#visited.has(i)) return;
    this.#visited.add(i);
    const draft = this.#features[i]!;
    const { body } = draft;
    this.#path.push(i);
    if (body !== null && !this.#broken.has(draft)) {
      this.#done[i] = 'syntax' in body ? this.#expression(draft, body) : { stored: body };
    }
    this.#path.pop();
    this.#order.push(i);
  }

  #expression(feature: FeatureDraft, draft: ExpressionDraft): Done | null {
    const { syntax } = draft;
    const complaints = this.#follow(syntax);
    const contagious = draft.type === 'request' || this.#dependsOnRequest(syntax);
    const kind = this.#check(syntax, contagious, (complaint) => complaints.push(complaint));
    for (const { at, message } of complaints) {
      const where = draft.keyed ? '' : `character ${at + 1} of the expression, `;
      this.#reader.report(draft.placeOf(at), `${message} (${where}in version ${this.#version})`);
    }
    if (complaints.length > 0) this.#broken.add(feature);
    if (complaints.length > 0 || kind === null) return null;
    const { name } = feature;
    const output = kind === 'bool' ? 'bool' : 'float64';
    const expression = toExpression(syntax, ['now'], (leaf) => [this.#inputs.has(leaf) ? 'input' : 'ref', leaf]);
    if (contagious) return { request: { name, output, expression, runs: runsIn(expression) } };
    return { stored: { name, type: 'expression', output, expression } satisfies ExpressionFeature };
  }

  /** Settles the features that an expression names; complains of those that it cannot name. */
  #follow(syntax: Syntax): Complaint[] {
    const complaints: Complaint[] = [];
    for (const { name, at } of namesIn(syntax)) {
      if (this.#inputs.has(name)) continue;
      const i = this.#index.get(name);
      if (i === undefined && this.#maybeBroken(name)) continue;
      if (i === undefined) complaints.push({ at, message: this.#unknown(name) });
      else if (this.#path.includes(i)) complaints.push({ at, message: this.#circle(i) });
      else this.#visit(i);
    }
    return complaints;
  }

  /** Whether a feature that could not be read may have stood for several, with this one among them. */
  #maybeBroken(name: string): boolean {
    return this.#features.some((feature) => feature.body === null && name.startsWith(`${feature.name}_`));
  }

  #dependsOnRequest(syntax: Syntax): boolean {
    if (syntax.kind === 'time' || syntax.kind === 'time_since') return true;
    if ('operands' in syntax) return syntax.operands.some((operand) => this.#dependsOnRequest(operand));
    if (syntax.kind !== 'name') return false;
    const done = this.#doneOf(syntax.name);
    return this.#inputs.has(syntax.name) || (done !== null && 'request' in done);
  }

  /** The kind of an expression, or null where it cannot be told or is none that a feature can have. */
  #check(syntax: Syntax, contagious: boolean, complain: (complaint: Complaint) => void): Kind | null {
    const names = namesIn(syntax);
    if (names.length === 0 && !this.#dependsOnRequest(syntax)) {
      const message = contagious
        ? 'the expression is the same for every request; name an input or a feature, or take the time'
        : 'the expression names no feature; name one';
      complain({ at: 0, message });
    }
    if (!contagious) for (const name of names) this.#checkStored(name, complain);
    const kindOf = (name: string): Kind | null => {
      const kind = this.#kindOf(name);
      return contagious || isPlain(kind) ? kind : null;
    };
    const kind = checkKinds(syntax, kindOf, complain);
    if (isPlain(kind)) return kind;
    if (kind !== null)
      complain({ at: 0, message: `the expression makes a ${kind}; make a number or true or false of it` });
    return null;
  }

  /** What is stored is made of numbers and truth values. */
  #checkStored({ name, at }: { name: string; at: number }, complain: (complaint: Complaint) => void): void {
    const kind = this.#kindOf(name);
    if (isPlain(kind) || kind === null) return;
    const sentence = `${quote(name)} is a ${kind}, and a stored expression takes numbers and true or false only`;
    complain({ at, message: `${sentence}; leave it out, or write type: request` });
  }

  #kindOf(name: string): Kind | null {
    const type = this.#inputs.get(name);
    if (type !== undefined) return type && FIELD_KINDS[type];
    const done = this.#doneOf(name);
    return done && KINDS['stored' in done ? done.stored.output : done.request.output];
  }

  #doneOf(name: string): Done | null {
    const i = this.#index.get(name);
    return i === undefined ? null : this.#done[i]!;
  }

  #unknown(name: string): string {
    const guess = didYouMean(name, [...this.#index.keys(), ...this.#inputs.keys()]);
    const inputs = this.#inputs.size === 0 ? '' : `, and of the request ${listOf(this.#inputs.keys())}`;
    return `unknown feature ${quote(name)}; there is ${listOf(this.#index.keys())}${inputs}${guess}`;
  }

  #circle(to: number): string {
    const path = [...this.#path.slice(this.#path.indexOf(to)), to].map((i) => this.#features[i]!.name);
    if (path.length === 2) return `${path[0]} refers to itself; take another feature`;
    return `features refer to each other in a circle: ${path.join(' → ')}; break it`;
  }
}

const isPlain = (kind: Kind | null): kind is 'number' | 'bool' => kind === 'number' || kind === 'bool';

/** Their results differ in the last bit between V8 and NumPy. */
const FLEET_OPERATORS: readonly string[] = ['log', 'exp'] satisfies Operator[];

const runsIn = (expression: Expression): RequestFeature['runs'] =>
  nodesOf(expression).some(([word]) => FLEET_OPERATORS.includes(word)) ? 'fleet' : 'main';
