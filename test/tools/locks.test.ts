/** The lock files name hashes, never a host: packages come from whatever registry the machine is set to. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Entry {
  integrity?: string;
  resolved?: string;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
}

interface NpmLock {
  packages: Record<string, Entry>;
}

/** A build of an optional package for a system on which Headrace is not released: it may stand without its hash. */
function isForeign({ optional, os, cpu, libc }: Entry): boolean {
  if (!optional || os === undefined || cpu === undefined) return false;
  return !(os.includes('linux') && (cpu.includes('x64') || cpu.includes('arm64')) && libc?.[0] !== 'musl');
}

for (const path of ['package-lock.json', 'tools/node/package-lock.json']) {
  test(`${path} names a hash for each package and no address`, () => {
    const packages = Object.entries((JSON.parse(read(path)) as NpmLock).packages).filter(([name]) => name !== '');
    assert.ok(packages.length > 0);
    for (const [name, entry] of packages) {
      assert.is(entry.resolved, undefined, `${name} has an address`);
      if (isForeign(entry) && entry.integrity === undefined) continue;
      assert.match(entry.integrity ?? '', /^sha512-/, `${name} has no hash`);
    }
  });
}

test('python/requirements.lock names hashes for each package and no address', () => {
  const text = read('python/requirements.lock').replace(/^\s*#.*\n/gm, '');
  const requirements = text.replaceAll('\\\n', ' ').trim().split('\n');
  assert.ok(requirements.length > 0);
  for (const requirement of requirements) {
    assert.match(requirement, /^[a-z0-9._-]+==\S+( ; [^\\]*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*$/i);
  }
});

test.run();
