import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Engine, Lab } from '../e2e/lab.ts';
import { START_MS } from '../e2e/meters.ts';

const test = suite('cli/get');
const lab = new Lab();
let engine: Engine;

test.before(async () => {
  engine = await lab.engine('data', ['--workers', '1']);
  const events = [
    { meter: 'a', at: START_MS, value: 1.5 },
    { meter: 'b', at: START_MS + 1000, value: 2 },
    { meter: 'a', at: START_MS + 2000, value: 4 },
  ];
  assert.is((await engine.post('/events/readings', events)).status, 200);
});
test.after(() => lab.close());

const get = (...args: string[]) => lab.run(['get', '--url', engine.url, ...args]);

test('a table: a column an entity, a line a feature', async () => {
  const { code, out, err } = await get('a', 'b', 'unheard-of', '--features', 'readings_1h,mean_1h,last');
  assert.equal([code, err], [0, '']);
  const lines = out.trimEnd().split('\n');
  const cells = lines.map((line) => line.trim().split(/ {2,}/));
  assert.equal(cells.slice(0, 4), [
    ['feature', 'a', 'b', 'unheard-of'],
    ['readings_1h', '2', '1', '0'],
    ['mean_1h', '2.75', '2', '–'],
    ['last', '4', '2', '–'],
  ]);
  const asOf = '2024-03-01T00:00:02.000000Z';
  assert.equal(cells[4], ['as_of', asOf, asOf, asOf]);
  assert.equal(cells[5], ['position', '3', '3', '3']);
});

test('--json: a row a line, of the view, version, moment and position asked', async () => {
  const moments = ['--as-of', '2024-03-01T00:00:01Z', '--position', '2', '--view', 'use', '--version', 'v1'];
  const [byTime, byNumber] = await Promise.all([
    get('a', 'b', '--json', ...moments),
    get('a', 'b', '--json', '--as-of', String(START_MS + 1000), '--position', '2', '--version', 'v1'),
  ]);
  for (const { code, out, err } of [byTime!, byNumber!]) {
    assert.equal([code, err], [0, '']);
    const rows = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(
      rows.map(({ entity_id, position, features }) => [entity_id, position, features.sum_1h, features.readings_all]),
      [
        ['a', 2, 1.5, undefined],
        ['b', 2, 2, undefined],
      ],
    );
  }
});

test('errors go to stderr with status 1, and the rows that are good are shown all the same', async () => {
  const [view, feature, id, gone] = await Promise.all([
    get('a', '--view', 'nope'),
    get('a', '--features', 'nope'),
    get('a', '\u0001', '--features', 'last'),
    lab.run(['get', 'a', '--url', `http://127.0.0.1:${await lab.freePort()}`]),
  ]);
  assert.equal([view.code, view.out], [1, '']);
  assert.match(view.err, /^headrace get: .*nope.* \[unknown_view\]\n$/);
  assert.match(feature.err, /^headrace get: .*nope.* \[unknown_feature\]\n$/);
  assert.is(id.code, 1);
  assert.match(id.out, /^last +4$/m);
  assert.match(id.err, /\[invalid_entity_id\]\n$/);
  assert.equal([gone.code, gone.out], [1, '']);
  assert.match(gone.err, /^headrace get: no answer from http:\S+ \(ECONNREFUSED\)\. Is the engine running\?/);
});

test.run();
