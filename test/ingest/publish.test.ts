import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type PublishParts, publish } from '../../src/ingest/publish.ts';
import type { AddedBatch, Commit } from '../../src/store/log-row.ts';
import { group } from './fixtures.ts';

const test = suite('ingest/publish');

const added = (position: number, clock: number): AddedBatch => ({
  source: 'departures',
  schema: 1,
  n: 2,
  position,
  clock,
  newest: clock,
  columns: new ArrayBuffer(0),
  late: null,
  touched: [
    { entity: 'airport', codes: Int32Array.of(1, 2) },
    { entity: 'route', codes: Int32Array.of(3) },
  ],
});

const commit = (id: number, batch: AddedBatch | null): Commit => ({ id, answer: null, error: null, added: batch });

function noted(): { told: string[]; parts: PublishParts<string> } {
  const told: string[] = [];
  const parts: PublishParts<string> = {
    dictionaries: { apply: ({ name }) => told.push(`dictionary ${name}`) },
    clock: { advance: (to) => told.push(`clock ${to}`) },
    head: { advance: (position) => told.push(`head ${position}`) },
    touched: { touch: (source, entity, codes, at) => told.push(`touch ${source} ${entity} ${[...codes]} ${at}`) },
    jobs: (batches) => {
      told.push(`jobs ${batches.length}`);
      return ['job'];
    },
    fleet: { apply: (_, jobs) => told.push(`fleet ${jobs}`) },
    ingest: { committed: (commits) => told.push(`answers ${commits.commits.length}`) },
  };
  return { told, parts };
}

test('makes all of a transaction visible before it is answered', () => {
  const { told, parts } = noted();
  const dictionaries = [{ name: '@airport', from: 0, values: ['ORD'] }];
  const commits = [commit(1, added(2, 10)), commit(2, null), commit(3, added(4, 20))];
  publish({ ...group(commits, 4), dictionaries }, parts);
  assert.equal(told, [
    'dictionary @airport',
    'clock 20',
    'head 4',
    'touch departures airport 1,2 2',
    'touch departures route 3 2',
    'touch departures airport 1,2 4',
    'touch departures route 3 4',
    'jobs 2',
    'fleet job',
    'answers 3',
  ]);
});

test('only answers where nothing was added', () => {
  const { told, parts } = noted();
  publish(group([commit(1, null)], 7), parts);
  assert.equal(told, ['answers 1']);
});

test('leaves a wall clock alone', () => {
  const { told, parts } = noted();
  publish(group([commit(1, added(2, 10))], 2), { ...parts, clock: null });
  assert.not.ok(told.some((line) => line.startsWith('clock')));
  assert.is(told.at(-1), 'answers 1');
});

test.run();
