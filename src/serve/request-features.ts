/**
 * Features of a request: made of a row's values, the request's inputs and its time, after the row is had and for that
 * request alone. No such value enters the cache, a topic or a sample.
 *
 * `python/headrace/expressions/request.py` is the twin for those that run in the fleet.
 */
import type { Expression, RequestFeature, View } from '../registry/view.ts';
import { AS_OF, ROW_HEADER, type Row } from '../values/row.ts';
import { compileExpression, type Evaluate, type Leaves } from './expressions.ts';
import type { RequestPart } from './query.ts';
import type { InputValue } from './request-inputs.ts';

/** What the expressions read: a row whose features are followed by those of the request, as far as they are made. */
interface Scope {
  numbers: Float64Array;
  /** By place among the features, stored and of the request. */
  strings: (string | null)[];
  inputs: readonly InputValue[];
  now: number;
}

/** The request features of one view version, compiled as they are asked for. */
class RequestFeatures {
  readonly #view: View;
  readonly #features: RequestFeature[];
  readonly #stored: number;
  readonly #places: Map<string, number>;
  readonly #inputs: Map<string, number>;
  readonly #compiled: ((scope: Scope) => void)[] = [];
  /** By feature, all that it is made of, itself included. */
  readonly #closures: ReadonlySet<number>[] = [];
  readonly #scope: Scope;

  constructor(view: View) {
    this.#view = view;
    const { inputs, features } = view.plan.request ?? { inputs: [], features: [] };
    this.#features = features;
    this.#stored = view.features.length;
    const width = this.#stored + features.length;
    this.#places = new Map([...view.features, ...features].map(({ name }, place) => [name, place]));
    this.#inputs = new Map(inputs.map(({ name }, place) => [name, place]));
    for (const { expression } of features) {
      const closure = new Set<number>();
      for (const name of references(expression)) {
        const at = this.#places.get(name)! - this.#stored;
        if (at >= 0) for (const inner of this.#closures[at]!) closure.add(inner);
      }
      this.#closures.push(closure.add(this.#closures.length));
    }
    this.#scope = {
      // Behind the features stands the request's time.
      numbers: new Float64Array(ROW_HEADER + width + 1),
      strings: new Array<string | null>(width).fill(null),
      inputs: [],
      now: 0,
    };
  }

  /**
   * @param wanted indexes of features of the request
   * @returns them and what they are made of, in an order to evaluate them in; and whether one of these runs in the fleet
   */
  needs(wanted: readonly number[]): Pick<RequestPart, 'order' | 'fleet'> {
    const needed = new Set<number>();
    for (const at of wanted) for (const inner of this.#closures[at]!) needed.add(inner);
    // In the plan each stands behind what it refers to.
    const order = [...needed].sort((a, b) => a - b);
    return { order, fleet: order.some((at) => this.#features[at]!.runs === 'fleet') };
  }

  /**
   * The row with the wanted features of the request behind its own, and then the request's time.
   * @returns a row that is overwritten by the next call
   */
  extend(row: Row, { order, inputs, askedAt }: RequestPart): Row {
    const { numbers } = this.#scope;
    const scope = this.#scope;
    const end = ROW_HEADER + this.#stored;
    for (let k = 0; k < end; k++) numbers[k] = row.slab[row.base + k]!;
    if (row.strings !== null) for (let k = 0; k < this.#stored; k++) scope.strings[k] = row.strings[k]!;
    scope.inputs = inputs;
    // A row computed after it was asked for, or for a moment that the request names, is of that moment.
    scope.now = Math.max(askedAt, row.slab[row.base + AS_OF]!);
    for (const at of order) this.#evaluatorOf(at)(scope);
    numbers[end + this.#features.length] = scope.now;
    return { view: row.view, entityId: row.entityId, slab: numbers, base: 0, strings: scope.strings };
  }

  #evaluatorOf(at: number): (scope: Scope) => void {
    this.#compiled[at] ??= this.#compile(at);
    return this.#compiled[at];
  }

  #compile(at: number): (scope: Scope) => void {
    const evaluate = compileExpression(this.#features[at]!.expression, this.#leaves());
    const place = this.#stored + at;
    if (evaluate.text) {
      return (scope) => {
        scope.strings[place] = evaluate.of(scope);
      };
    }
    return (scope) => {
      // No text tells −0 from 0.
      scope.numbers[ROW_HEADER + place] = evaluate.of(scope) + 0;
    };
  }

  #leaves(): Leaves<Scope> {
    const { inputs, features: ofRequest } = this.#view.plan.request!;
    return {
      ref: (name): Evaluate<Scope> => {
        const place = this.#places.get(name)!;
        const { output } = this.#view.features[place] ?? ofRequest[place - this.#stored]!;
        if (output === 'string') return { text: true, of: ({ strings }) => strings[place]! };
        return { text: false, of: ({ numbers }) => numbers[ROW_HEADER + place]! };
      },
      input: (name): Evaluate<Scope> => {
        const place = this.#inputs.get(name)!;
        if (inputs[place]!.type === 'category') {
          return { text: true, of: (scope) => scope.inputs[place] as string | null };
        }
        return { text: false, of: (scope) => ((scope.inputs[place] as number | null) ?? Number.NaN) + 0 };
      },
      now: ({ now }) => now,
    };
  }
}

function references(expression: Expression): string[] {
  if (!Array.isArray(expression)) return [];
  if (expression[0] === 'ref') return [expression[1] as string];
  return expression.slice(1).flatMap((part) => references(part as Expression));
}

const compiled = new WeakMap<View, RequestFeatures>();

/** Those of a view, compiled once. */
export function requestFeaturesOf(view: View): RequestFeatures {
  let features = compiled.get(view);
  if (features === undefined) {
    features = new RequestFeatures(view);
    compiled.set(view, features);
  }
  return features;
}
