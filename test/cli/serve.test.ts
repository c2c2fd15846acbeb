import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Engine, eventually, isAlive, Lab, METERS } from '../e2e/lab.ts';

const test = suite('cli/serve');
const lab = new Lab();

test.after(() => lab.close());

/** An end with this status, and one clear sentence or more on stderr. */
async function failsWith(args: string[], message: string | RegExp, status = 1): Promise<string> {
  const { code, err } = await lab.run(['serve', ...args]);
  assert.is(code, status, err);
  assert.match(err, message);
  assert.not.match(err, /^\s+at /m, 'no stack');
  return err;
}

function serve(data: string, ...args: string[]): string[] {
  return [METERS, '--port', '0', '--data', lab.path(data), '--workers', '1', '--log-level', 'error', ...args];
}

test('says where it is, takes Ctrl-C and ends with status 0', async () => {
  const running = lab.start(['serve', ...serve('ctrl-c')]);
  await running.wrote(/^headrace is ready at http:\/\/127\.0\.0\.1:\d+ \(WebSocket at ws:.*\/ws\)$/m);
  assert.equal(await running.end('SIGINT'), { code: 0, signal: null });
  assert.is(running.err, '');
});

test('signals right after the first are the same wish; a later one ends it at once', async () => {
  const engine = await lab.engine('twice', ['--workers', '1', '--drain-ms', '60000']);
  const [worker] = await engine.workers();
  process.kill(worker!.pid, 'SIGSTOP');
  const unanswered = engine.post('/features', { entity_id: 'a', timeout_ms: 60_000 }).catch((error: Error) => error);
  await eventually('a request under way', async () => (await engine.workers())[0]!.in_flight_ms !== null);
  for (let i = 0; i < 3; i++) {
    engine.child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await new Promise((resolve) => setTimeout(resolve, 2200));
  assert.not.ok(engine.isOver);
  assert.equal(await engine.end('SIGINT'), { code: null, signal: 'SIGINT' });
  assert.instance(await unanswered, Error);
  await eventually('the end of its worker', async () => !isAlive(worker!.pid));
});

test('a registry that is missing or wrong: every mistake with file, line and column', async () => {
  const path = lab.path('wrong.yaml');
  writeFileSync(path, 'project: x\nclock: sundial\nentities:\n  meter: {}\nsources: 7\nviews: {}\n');
  writeFileSync(lab.path('open.yaml'), 'project: [x\n');
  const [err] = await Promise.all([
    failsWith([path], `${path}:2:8: `),
    failsWith([lab.path('none.yaml')], `${lab.path('none.yaml')}:1:1: there is no such file`),
    failsWith([lab.path('open.yaml')], /open\.yaml:\d+:\d+: /),
  ]);
  assert.match(err, `${path}:5:10: `);
});

test('an address that others can reach is refused', async () => {
  const hosts = ['0.0.0.0', '::', 'example.com'];
  await Promise.all(
    hosts.map((host) => failsWith(serve(host, '--host', host), `host is ${host}, which others can reach`)),
  );
});

test('a port or data folder that another engine has', async () => {
  const first: Engine = await lab.engine('first', ['--workers', '1']);
  const { port } = new URL(first.url);
  await Promise.all([
    failsWith(serve('second', '--port', port), `cannot listen on port ${port} of 127.0.0.1: another program`),
    failsWith(serve('first'), /first is in use by another engine/),
  ]);
  assert.is((await first.get('/readyz')).ready, true, 'the first serves on');
  assert.is((await first.end('SIGTERM')).code, 0);
  const again = await lab.engine('first', ['--workers', '1']);
  assert.is((await again.get('/readyz')).ready, true);
});

test('paths, sources and times that are none', async () => {
  writeFileSync(lab.path('file'), '');
  writeFileSync(lab.path('bad.parquet'), 'PAR0');
  await Promise.all([
    failsWith(serve('python', '--python', lab.path('python')), `--python is '${lab.path('python')}'`, 2),
    failsWith(serve('file'), /file.* cannot be opened/),
    failsWith(serve('load', '--load', 'nope=x.csv'), "--load names the source 'nope'; the registry has readings"),
    failsWith(serve('load', '--load', 'readings=x.csv', '--load-until', 'soon'), /"soon" is no time/),
    failsWith(serve('none', '--load', `readings=${lab.path('none.csv')}`), "none.csv', which does not exist", 2),
    failsWith(serve('bad', '--load', `readings=${lab.path('bad.parquet')}`), 'bad.parquet is no Parquet file', 2),
  ]);
});

test('a Python that no worker starts with', async () => {
  const err = await failsWith(serve('false', '--python', '/bin/false', '--workers', '2'), 'headrace serve: no Python');
  assert.match(err, /^headrace serve: no Python worker starts: exit status 1; run make setup, or name another .*\n$/m);
});

test('what a loaded file has wrong is told by row, and the rest is served', async () => {
  const path = lab.path('some.csv');
  writeFileSync(
    path,
    'meter,at,value\na,2024-03-01T00:00:00Z,1\nb,never,1\nc,2024-03-01T00:00:01Z,x\na,2024-03-01T00:00:02Z,2\n',
  );
  const engine = await lab.engine('some', ['--workers', '1', '--load', `readings=${path}`]);
  assert.match(engine.out, `${path}: 2 events in `);
  assert.match(engine.out, '(0 late, 2 rejected, 0 were there before)');
  assert.match(engine.err, /row 1: .*\[invalid_time\]\n {2}row 2: .*\[invalid_field\]/);
  const response = await engine.post('/features', { entity_id: 'a', features: ['sum_all'] });
  assert.equal(((await response.json()) as { features: object }).features, { sum_all: 3 });
});

test.run();
