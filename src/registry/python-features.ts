/** Features of functions in the Python modules beside the registry. */
import type { Declared, FeatureContext, FeatureRecord } from './declared.ts';
import { DURATION_UNITS, parseDuration } from './durations.ts';
import { readSourceOf, unknownField } from './feature-source.ts';
import { DEFAULTS } from './grammar.ts';
import { checkName } from './names.ts';
import type { PythonFunction } from './python-functions.ts';
import type { Entry, Reader, Value } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import { quote } from './suggest.ts';
import type { OutputType, PythonFeature } from './view.ts';
import { readWhere } from './where.ts';
import { readWindows } from './window.ts';

const FUNCTION = /^[A-Za-z_]\w*:[A-Za-z_]\w*$/;

/** One feature for each output of the function and each window, or null where a problem was reported. */
export function readPython(
  reader: Reader,
  entry: Entry,
  record: FeatureRecord,
  context: FeatureContext,
): Declared[] | null {
  const item = record.get('function');
  const name = item === undefined ? null : readFunctionName(reader, item.value);
  const source = readSourceOf(reader, entry, record.get('source'), context);
  const windows = readWindows(reader, record, source);
  const where = readWhere(reader, record.get('where'), source);
  const fields = readFields(reader, record.get('fields'), source);
  const timeout = readTimeout(reader, record.get('timeout'));
  const found = name === null ? null : readFunction(reader, item!.value, context.functions.find(name));
  if (source === null || windows === null || where === null || fields === null || timeout === null) return null;
  if (found === null) return null;
  const outputs = outputsOf(reader, item!.value, found.outputs);
  return windows.flatMap(({ suffix, window }) =>
    outputs.map(({ result, output }): Declared => {
      const body: Omit<PythonFeature, 'name'> = {
        type: 'python',
        output,
        source: source.name,
        window,
        function: name!,
        result,
        digest: found.digest,
        fields,
        timeout_ms: timeout,
      };
      const ending = suffix + (result === null ? '' : `_${result}`);
      const feature = { name: entry.name + ending, ...body };
      return { suffix: ending, body: where === undefined ? feature : { ...feature, where } };
    }),
  );
}

function readFunctionName(reader: Reader, value: Value): string | null {
  const name = reader.text(value, 'a function as module:function, such as "delays:late_share"');
  if (name === null || FUNCTION.test(name)) return name;
  const folder = 'the module lies beside the registry, as delays.py';
  reader.report(value, `found ${quote(name)}, expected module:function, such as "delays:late_share"; ${folder}`);
  return null;
}

function readFunction(
  reader: Reader,
  value: Value,
  found: PythonFunction | null,
): Extract<PythonFunction, { digest: string }> | null {
  if (found === null || 'digest' in found) return found;
  const place = found.file === null ? '' : `${found.file}${found.line === null ? '' : `:${found.line}`}: `;
  reader.report(value, `${place}${found.error}`);
  return null;
}

function outputsOf(
  reader: Reader,
  value: Value,
  outputs: OutputType | Record<string, OutputType>,
): { result: string | null; output: OutputType }[] {
  if (typeof outputs === 'string') return [{ result: null, output: outputs }];
  return Object.entries(outputs).map(([result, output]) => {
    checkName(reader, value, result);
    return { result, output };
  });
}

/** All of the source's where the definition names none, in their order. */
function readFields(reader: Reader, entry: Entry | undefined, source: SourceDraft | null): string[] | null {
  if (entry === undefined) return source?.fields == null ? null : [...source.fields.keys()];
  const values = reader.list(entry.value, 'fields');
  if (values === null || source === null || source.fields === null) return null;
  const names = values.map((value) => {
    const name = reader.text(value, "a field's name");
    if (name === null || source.fields!.has(name)) return name;
    reader.report(value, unknownField(name, source));
    return null;
  });
  const known = names.filter((name) => name !== null);
  const twice = values.find((_, i) => names[i] !== null && names.indexOf(names[i]!) < i);
  if (twice !== undefined) reader.report(twice, 'the field is listed twice; keep one of the two');
  return known.length < names.length || twice !== undefined ? null : known;
}

/** Milliseconds. */
function readTimeout(reader: Reader, entry: Entry | undefined): number | null {
  const timeout =
    entry === undefined ? (parseDuration(DEFAULTS.timeout) as number) : reader.duration(entry.value, true);
  return timeout === null ? null : timeout / DURATION_UNITS.ms;
}
