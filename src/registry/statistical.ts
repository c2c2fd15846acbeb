import { readChoice } from './choice.ts';
import type { Declared, FeatureContext, FeatureRecord } from './declared.ts';
import { fieldsOf, readField, readSourceOf } from './feature-source.ts';
import {
  AGGREGATION_KEYS,
  AGGREGATION_SYNONYMS,
  AGGREGATIONS,
  type DeclaredAggregation,
  SEVERAL,
} from './feature-words.ts';
import { LIMITS } from './grammar.ts';
import { checkOwnKeys } from './own-keys.ts';
import type { Entry, Reader } from './reader.ts';
import type { SourceDraft } from './sources.ts';
import { listOf, quote } from './suggest.ts';
import type { Aggregation, FieldType, OutputType, StatisticalFeature } from './view.ts';
import { readWhere } from './where.ts';
import { readWindows } from './window.ts';

/** One value of each window: an aggregation with its parameter. */
interface Statistic extends Pick<StatisticalFeature, 'aggregation' | 'q' | 'rank' | 'approximate'> {
  suffix: string;
}

const CHOICE = {
  noun: 'aggregation',
  known: [...Object.keys(AGGREGATIONS), ...Object.keys(SEVERAL)] as DeclaredAggregation[],
  synonyms: AGGREGATION_SYNONYMS,
};

/** Null where a problem was reported. */
export function readStatistical(
  reader: Reader,
  entry: Entry,
  record: FeatureRecord,
  context: FeatureContext,
): Declared[] | null {
  const named = record.get('aggregation');
  const aggregation = named ? readChoice(reader, named.value, CHOICE) : null;
  const source = readSourceOf(reader, entry, record.get('source'), context);
  const windows = readWindows(reader, record, source);
  const where = readWhere(reader, record.get('where'), source);
  if (aggregation === null) return null;
  if (aggregation === 'share_where' && where === undefined) {
    reader.report(entry.key, 'share_where needs where, and it is not here; add what to count, such as where: x > 0');
    return null;
  }
  const field = readFieldOf(reader, entry, record.get('field'), aggregation, source);
  const statistics = readStatistics(reader, entry, record, aggregation);
  if (source === null || windows === null || where === null || field === null || statistics === null) return null;
  reader.spend(statistics.length * windows.length, entry.key);
  return statistics.flatMap(({ suffix, ...statistic }) =>
    windows.map(({ suffix: behind, window }) => ({
      suffix: suffix + behind,
      body: {
        name: entry.name + suffix + behind,
        type: 'statistical',
        output: outputOf(statistic.aggregation, field?.type),
        source: source.name,
        ...(field && { field: field.name }),
        ...statistic,
        window,
        ...(where && { where }),
      },
    })),
  );
}

/** Undefined where the aggregation is one of events, null where the field is wrong. */
function readFieldOf(
  reader: Reader,
  entry: Entry,
  item: Entry | undefined,
  aggregation: DeclaredAggregation,
  source: SourceDraft | null,
): { name: string; type: FieldType } | undefined | null {
  if (item === undefined) {
    if (aggregation === 'count' || aggregation === 'share_where') return undefined;
    reader.report(entry.key, `${aggregation} needs a field, and there is none; add field:${fieldsOf(source)}`);
    return null;
  }
  if (aggregation === 'share_where') {
    reader.report(item.key, 'share_where counts events and takes no field; leave it out, and name the field in where');
    return null;
  }
  const field = readField(reader, item.value, source);
  if (field === null) return null;
  const allowed: readonly FieldType[] = AGGREGATIONS[planned(aggregation)];
  if (allowed.includes(field.type)) return field;
  const takes = `${aggregation} takes ${listOf(allowed)}; take another field or aggregation`;
  reader.report(item.value, `${quote(field.name)} is a ${field.type}, and ${takes}`);
  return null;
}

function readStatistics(
  reader: Reader,
  entry: Entry,
  record: FeatureRecord,
  aggregation: DeclaredAggregation,
): Statistic[] | null {
  const well = checkOwnKeys(reader, entry, record, aggregation, AGGREGATION_KEYS);
  const own = (key: keyof typeof AGGREGATION_KEYS): Entry['value'] | undefined =>
    AGGREGATION_KEYS[key].of.includes(aggregation) ? record.get(key)?.value : undefined;
  const [q, quantiles, rank, k, near] = [own('q'), own('quantiles'), own('rank'), own('k'), own('approximate')];
  const approximate = near && reader.number(near, 0.001, 0.5);
  const parameters = {
    q: q && reader.number(q, 0, 1),
    rank: rank ? reader.whole(rank, 1, LIMITS.ranks) : 1,
    k: k && reader.whole(k, 1, LIMITS.ranks),
    quantiles: quantiles && readQuantiles(reader, quantiles),
  };
  if (!well || approximate === null || Object.values(parameters).includes(null)) return null;
  const error = approximate === undefined ? {} : { approximate };
  if (aggregation === 'quantiles') {
    return parameters.quantiles!.map((q) => ({ suffix: `_q${percent(q)}`, aggregation: 'quantile', q, ...error }));
  }
  if (aggregation === 'top_k') {
    return Array.from({ length: parameters.k! }, (_, i) => ({
      suffix: `_${i + 1}`,
      aggregation: 'top_share',
      rank: i + 1,
    }));
  }
  if (aggregation === 'quantile') return [{ suffix: '', aggregation, q: parameters.q!, ...error }];
  if (aggregation === 'top_share') return [{ suffix: '', aggregation, rank: parameters.rank! }];
  return [{ suffix: '', aggregation, ...error }];
}

function readQuantiles(reader: Reader, value: Entry['value']): number[] | null {
  const values = reader.list(value, 'numbers from 0 to 1', '[0.1, 0.9]');
  if (values?.length === 0) reader.report(value, 'found an empty list; name a quantile, such as [0.1, 0.9]');
  const numbers = values?.map((one) => reader.number(one, 0, 1)) ?? [];
  const read = numbers.filter((number) => number !== null);
  return read.length === 0 || read.length < numbers.length ? null : read;
}

/** 0.9 → `90`, 0.999 → `99_9`: what stands in a feature's name. */
const percent = (q: number): string => String(Number((q * 100).toPrecision(12))).replace('.', '_');

const planned = (aggregation: DeclaredAggregation): Aggregation =>
  Object.hasOwn(SEVERAL, aggregation) ? SEVERAL[aggregation as keyof typeof SEVERAL] : (aggregation as Aggregation);

const OF_THE_FIELD: readonly Aggregation[] = ['min', 'max', 'first', 'last', 'mode'];

function outputOf(aggregation: Aggregation, type: FieldType | undefined): OutputType {
  if (aggregation === 'count' || aggregation === 'nunique') return 'int64';
  if (type === undefined || !OF_THE_FIELD.includes(aggregation)) return 'float64';
  const outputs = { float: 'float64', int: 'int64', bool: 'bool', category: 'string', timestamp: 'timestamp' } as const;
  return outputs[type];
}
