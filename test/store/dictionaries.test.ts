import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Dictionaries } from '../../src/store/dictionaries.ts';

const test = suite('store/dictionaries');

test('codes and values lead to each other, and grow with each commit', () => {
  const dictionaries = new Dictionaries([{ name: '@airport', values: ['ORD', 'ATL'] }]);
  dictionaries.apply({ name: '@airport', from: 2, values: ['LAX'] });
  dictionaries.apply({ name: 'departures.carrier', from: 0, values: ['ORD'] });
  assert.equal(
    ['ORD', 'ATL', 'LAX', 'SFO'].map((id) => dictionaries.codeOf('@airport', id)),
    [0, 1, 2, -1],
  );
  assert.is(dictionaries.valueOf('@airport', 2), 'LAX');
  assert.is(dictionaries.valueOf('@airport', 3), undefined);
  assert.is(dictionaries.codeOf('departures.carrier', 'ATL'), -1);
  assert.is(dictionaries.codeOf('@route', 'ORD'), -1);
  assert.equal([dictionaries.size('@airport'), dictionaries.size('@route')], [3, 0]);
});

test('ids that are names of object properties are ids like others', () => {
  const dictionaries = new Dictionaries([]);
  assert.is(dictionaries.codeOf('@airport', 'constructor'), -1);
  dictionaries.apply({ name: '@airport', from: 0, values: ['__proto__', 'constructor'] });
  assert.is(dictionaries.codeOf('@airport', '__proto__'), 0);
  assert.is(dictionaries.codeOf('@airport', 'constructor'), 1);
});

test.run();
