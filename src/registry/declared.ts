import type { Defaults } from './defaults.ts';
import type { Syntax } from './expression.ts';
import type { Place } from './problems.ts';
import type { PythonFunctions } from './python-functions.ts';
import type { Entry } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import type { PlanFeature } from './view.ts';

/** What a feature may refer to. */
export interface FeatureContext {
  /** The view's entity; null where it is wrong. */
  entity: string | null;
  /** Null where the sources could not be read. */
  sources: ReadonlyMap<string, SourceDraft> | null;
  functions: PythonFunctions;
  defaults: Defaults;
}

export interface ExpressionDraft {
  /** `request`: it depends on the request, whatever it refers to. */
  type: 'expression' | 'request';
  syntax: Syntax;
  /** The place in the file of an offset in the expression's text. */
  placeOf(at: number): Place;
  /** Made of keys and not of a text: offsets mean nothing. */
  keyed?: true;
}

/** One of the features that an entry of the file stands for: it may list windows, quantiles or ranks. */
export interface Declared {
  /** Stands behind the entry's name: `_1h`, `_q90`, or nothing. */
  suffix: string;
  body: PlanFeature | ExpressionDraft;
}

/** The keys of a feature by name. */
export type FeatureRecord = ReadonlyMap<string, Entry>;
