/** What the documents name is there: files, make targets, commands, and a client that runs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Lab } from '../e2e/lab.ts';

const test = suite('docs');
const root = join(import.meta.dirname, '../..');
const documents = [...globSync('*.md', { cwd: root }), ...globSync('{docs,bench,examples}/**/*.md', { cwd: root })];
const text = (name: string) => readFileSync(join(root, name), 'utf8');

test('every relative link leads to a file', () => {
  assert.ok(documents.length > 6);
  for (const document of documents) {
    for (const [, target = ''] of text(document).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      assert.ok(existsSync(join(root, dirname(document), target)), `${document} links to ${target}`);
    }
  }
});

test('every make target and command that is named exists', () => {
  const targets = new Set([...text('Makefile').matchAll(/^([a-z-]+):/gm)].map(([, name]) => name));
  const commands = new Set([...text('src/main.ts').matchAll(/\.command\('([a-z]+)'\)/g)].map(([, name]) => name));
  assert.ok(targets.has('run') && commands.has('serve'));
  for (const document of documents) {
    const code = [...text(document).matchAll(/`([^`\n]+)`|^\s*(\$ |)(\.\/headrace .*|make .*)$/gm)];
    for (const [, inline, , line] of code) {
      const [, target] = /^make ([a-z-]+)/.exec(inline ?? line ?? '') ?? [];
      if (target !== undefined) assert.ok(targets.has(target), `${document} names make ${target}`);
      const [, command] = /^(?:\.\/)?headrace ([a-z]+)/.exec(inline ?? line ?? '') ?? [];
      if (command !== undefined) assert.ok(commands.has(command), `${document} names headrace ${command}`);
    }
  }
});

test('the client of the README hears of an entity', async () => {
  const [, client = ''] = /```js\n([\s\S]*?)```/.exec(text('README.md')) ?? [];
  assert.ok(client.trim().split('\n').length <= 15, 'it is short');
  const lab = new Lab();
  const file = join(root, 'test/docs/.client.mjs');
  try {
    const engine = await lab.engine('data', [], join(root, 'examples/flights/features.yaml'));
    writeFileSync(file, client.replaceAll('127.0.0.1:8787', new URL(engine.url).host));
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const timer = setTimeout(() => child.kill(), 20_000);
    let said = '';
    for await (const chunk of child.stdout) {
      said += chunk;
      if (/now ATL \{/.test(said)) break;
    }
    clearTimeout(timer);
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.match(said, /now ORD \{[\s\S]*now ATL \{/);
  } finally {
    rmSync(file, { force: true });
    await lab.close();
  }
});

test.run();
