import { formatDuration } from './durations.ts';
import { renderTemplate } from './key-template.ts';
import { loadRegistry } from './load.ts';
import { isHidden } from './names.ts';
import { RegistryError } from './problems.ts';
import type { FeatureService, Registry, Source, View } from './view.ts';

type Write = (text: string) => void;

/**
 * The body of `headrace validate`: a summary of the registry to `out`, or everything that is wrong with it to `err`.
 *
 * @returns the exit status, 0 or 1
 */
export async function validateCommand(
  path: string,
  options: { python?: string },
  out: Write,
  err: Write,
): Promise<number> {
  try {
    out(`${summary(await loadRegistry(path, options))}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const count = error.problems.length;
    err(`${error.message}\n${path}: ${countOf(count, 'problem')}\n`);
    return 1;
  }
}

function summary(registry: Registry): string {
  const { project, clock, path } = registry;
  return [
    `${path}: valid; project ${project}, ${clock.mode} clock${clock.sources ? ` of ${clock.sources.join(', ')}` : ''}`,
    ...[...registry.sources.values()].map(sourceLine),
    ...[...registry.views.values()].flatMap(viewLines),
    ...[...registry.services.values()].map(serviceLine),
  ].join('\n');
}

function sourceLine(source: Source): string {
  const keys = source.keys.map(({ entity, template }) => `${entity} ${renderTemplate(template)}`).join(', ');
  const kept = `retention ${formatDuration(source.retention)}, history ${formatDuration(source.history)}`;
  return `source ${source.name}: ${keys}; ${countOf(source.fields.length, 'field')}; ${kept}`;
}

function viewLines(versions: View[]): string[] {
  const { name, plan, ttl } = versions[0]!;
  const lines = versions.map((view) => {
    const deprecated = view.deprecated === null ? '' : `, deprecated from ${view.deprecated}`;
    return `  ${view.version}  ${view.hash}  ${featureCount(view)}${deprecated}`;
  });
  return [`view ${name}: of ${plan.entity}, ttl ${formatDuration(ttl)}`, ...lines];
}

const serviceLine = ({ name, view }: FeatureService): string =>
  `service ${name}: of ${view.plan.entity}, ttl ${formatDuration(view.ttl)}, ${view.hash}, ${featureCount(view)}`;

const featureCount = ({ features, request }: View): string =>
  countOf([...features, ...request].filter(({ name }) => !isHidden(name)).length, 'feature');

const countOf = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
