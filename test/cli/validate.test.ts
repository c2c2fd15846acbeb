import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Lab, METERS } from '../e2e/lab.ts';

const test = suite('cli/validate');
const lab = new Lab();

test.after(() => lab.close());

test('a registry that is right: what it declares, status 0', async () => {
  const { code, out, err } = await lab.run(['validate', METERS]);
  assert.equal([code, err], [0, '']);
  assert.match(out, `${METERS}: valid; project meters, event clock`);
  assert.match(out, /^ {2}v2 {2}[0-9a-f]+ {2}8 features$/m);
});

test('one that is wrong: every mistake with its line and column on stderr, status 1', async () => {
  const path = lab.path('wrong.yaml');
  writeFileSync(path, 'project: x\nclock: sundial\nentities:\n  meter: {}\nsources: 7\nviews: {}\n');
  const { code, out, err } = await lab.run(['validate', path]);
  assert.equal([code, out], [1, '']);
  assert.match(err, `${path}:2:8: `);
  assert.match(err, `${path}:5:10: `);
  assert.match(err, /: \d problems\n$/);
});

test('one that is not there', async () => {
  const { code, err } = await lab.run(['validate', lab.path('none.yaml')]);
  assert.is(code, 1);
  assert.match(err, `${lab.path('none.yaml')}:1:1: there is no such file; check the path`);
});

test.run();
