/** Checked drafts → what is served. */
import { hashPlan, makePlan } from './plan.ts';
import type { FlatService } from './service-view.ts';
import type { FlatVersion } from './versions.ts';
import type { FeatureService, OutputType, Source, View } from './view.ts';
import type { ViewOptions } from './views.ts';

/** A version as it is served; only for drafts without a reported problem. */
export function compileVersion(view: ViewOptions, version: FlatVersion, sources: ReadonlyMap<string, Source>): View {
  const output = ({ name, output }: { name: string; output: OutputType }) => {
    const description = version.descriptions.get(name)!;
    return description === '' ? { name, output } : { name, output, description };
  };
  const plan = makePlan(view.entity!, version, sources);
  return {
    name: view.name,
    version: version.name,
    hash: hashPlan(plan),
    plan,
    features: plan.features.map(output),
    request: plan.request?.features.map(output) ?? [],
    ...(version.unusedInputs.length === 0 ? {} : { unusedInputs: version.unusedInputs }),
    deprecated: version.deprecated,
    ttl: view.ttl,
    exact: view.exact,
    updateAgeOnGet: view.updateAgeOnGet,
    staleWhileRevalidate: view.staleWhileRevalidate,
    history: Math.min(...plan.sources.map((source) => sources.get(source.name)!.history)),
    description: view.description,
  };
}

export function compileService(
  { options, version, size }: FlatService,
  sources: ReadonlyMap<string, Source>,
): FeatureService {
  const view = compileVersion(options, version, sources);
  return { name: options.name, description: options.description, view, size };
}
