import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { flagOf, OPTIONS, type Option } from '../../src/config.ts';
import { Lab } from '../e2e/lab.ts';

const test = suite('cli/help');
const lab = new Lab();
const FLIGHTS = 'examples/flights/features.yaml';

test.after(() => lab.close());

/** Without the breaks of lines that fit it to the terminal. */
const flat = (text: string) => text.replace(/\s+/g, ' ');

test('headrace lists its commands, and each of them says what it takes and what its status means', async () => {
  const { code, out, err } = await lab.run(['--help']);
  assert.equal([code, err], [0, '']);
  const commands = [...out.matchAll(/^ {2}([a-z]+) .*<.*>/gm)].map(([, name]) => name!);
  assert.equal(commands.toSorted(), ['check', 'get', 'ingest', 'replay', 'serve', 'validate', 'watch']);
  const helps = await Promise.all(commands.map((name) => lab.run([name, '--help'])));
  for (const [i, help] of helps.entries()) {
    assert.equal([help.code, help.err], [0, ''], commands[i]);
    assert.match(help.out, `Usage: headrace ${commands[i]} `);
    assert.match(help.out, 'Exit status');
  }
  const serve = flat(helps[commands.indexOf('serve')]!.out);
  for (const [name, option] of Object.entries(OPTIONS) as [string, Option][]) {
    assert.match(serve, `${flagOf(name)} <value> ${option.description}`);
    if (option.default) assert.match(serve, `(default: ${option.default}`);
  }
});

test('wrong options end with status 2 and say what is taken', async () => {
  const wrong: [string[], RegExp][] = [
    [['serve'], /missing required argument 'registry'/],
    [['serve', FLIGHTS, '--nope', '1'], /unknown option '--nope'/],
    [['serve', FLIGHTS, '--port', 'x'], /--port is 'x'; it takes a whole number from 0 to 65535/],
    [['serve', FLIGHTS, '--workers', '1.5'], /--workers is '1.5'; it takes a whole number/],
    [['serve', FLIGHTS, '--log-level', 'loud'], /--log-level is 'loud'; it takes trace, debug/],
    [['serve', FLIGHTS, '--load', 'departures'], /--load is 'departures'; it takes SOURCE=FILE/],
    [['get'], /missing required argument/],
    [['get', 'ORD', '--url', 'nonsense'], /--url is 'nonsense'.* http:\/\/127.0.0.1:8787/],
    [['get', 'ORD', '--position', 'x'], /--position is 'x'; it takes a whole number/],
    [['get', 'ORD', '--timeout-ms', '0'], /'0' is invalid/],
    [['watch', 'ORD', '--url', 'nonsense'], /--url is 'nonsense'.* ws:\/\/127.0.0.1:8787\/ws/],
    [['nope'], /unknown command 'nope'/],
    [[], /Usage: headrace/],
  ];
  const ends = await Promise.all(wrong.map(([args]) => lab.run(args)));
  for (const [i, { code, out, err }] of ends.entries()) {
    const [args, message] = wrong[i]!;
    assert.equal([code, out], [2, ''], `${args.join(' ')}: ${err}`);
    assert.match(err, message);
    assert.not.match(err, /^\s+at /m, 'no stack');
  }
});

test.run();
