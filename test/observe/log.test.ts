import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createLog } from '../../src/observe/log.ts';

const test = suite('observe/log');

test('a JSON object a line, from the level asked for, without the machine', () => {
  const lines: string[] = [];
  const log = createLog({ log_level: 'info' }, { write: (line) => void lines.push(line) });
  log.debug('not this');
  log.warn({ worker: 2 }, 'restarted');
  assert.is(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0]!);
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.equal(rest, { level: 'warn', worker: 2, msg: 'restarted' });
});

test.run();
