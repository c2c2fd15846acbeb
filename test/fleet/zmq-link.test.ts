import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Dealer } from 'zeromq';
import { ZmqLink } from '../../src/fleet/zmq-link.ts';

interface Open {
  link: ZmqLink;
  received: [string, Uint8Array][];
  /** Resolves with the next identity and error told. */
  unreachable: Promise<[string | null, Error]>;
  /** Resolves when so many frames have come. */
  count(n: number): Promise<void>;
}

async function openLink(): Promise<Open> {
  const link = new ZmqLink();
  const received: Open['received'] = [];
  let tell: (told: [string | null, Error]) => void;
  const unreachable = new Promise<[string | null, Error]>((resolve) => {
    tell = resolve;
  });
  let came = () => {};
  await link.open({
    received: (identity, frame) => {
      received.push([identity, frame]);
      came();
    },
    unreachable: (identity, error) => tell([identity, error]),
  });
  const count = (n: number) =>
    new Promise<void>((resolve) => {
      came = () => {
        if (received.length >= n) resolve();
      };
      came();
    });
  return { link, received, unreachable, count };
}

const dealer = (link: ZmqLink, routingId: string): Dealer => {
  const socket = new Dealer({ routingId, linger: 0 });
  socket.connect(link.address);
  return socket;
};

const test = suite('fleet/zmq-link');

test('frames go to whom they are meant for and come back with who sent them, in order', async () => {
  const { link, received, count } = await openLink();
  const peers = ['w0-1', 'w1-1'].map((identity) => dealer(link, identity));
  for (const peer of peers) await peer.send('hello');
  await count(2);
  assert.equal(received.map(([identity]) => identity).sort(), ['w0-1', 'w1-1']);
  for (let i = 0; i < 8; i++) link.send('w1-1', Uint8Array.of(1, i));
  link.send('w0-1', Uint8Array.of(0));
  for (let i = 0; i < 8; i++) assert.equal([...(await peers[1]!.receive())[0]!], [1, i]);
  assert.equal([...(await peers[0]!.receive())[0]!], [0]);
  for (const peer of peers) peer.close();
  await link.close();
});

test('received bytes are a copy of their own that starts at a multiple of eight', async () => {
  const { link, received, count } = await openLink();
  const peer = dealer(link, 'w');
  for (const size of [1, 7, 64, 10_000]) await peer.send(Buffer.alloc(size, size & 0xff));
  await count(4);
  for (const [, bytes] of received) {
    assert.is(bytes.byteOffset, 0);
    assert.is(bytes.buffer.byteLength, bytes.byteLength);
    assert.ok(bytes.every((byte) => byte === (bytes.byteLength & 0xff)));
  }
  peer.close();
  await link.close();
});

test('a frame to nobody is reported', async () => {
  const { link, unreachable } = await openLink();
  link.send('w9-1', Uint8Array.of(1));
  const [identity, error] = await unreachable;
  assert.is(identity, 'w9-1');
  assert.match(error.message, /unreachable/i);
  await link.close();
});

test('frames that a peer does not take are refused at once, and the other peers get theirs', async () => {
  const { link, unreachable, count } = await openLink();
  const stuck = dealer(link, 'stuck');
  stuck.receiveHighWaterMark = 1;
  const quick = dealer(link, 'quick');
  await stuck.send('hello');
  await quick.send('hello');
  await count(2);
  const large = new Uint8Array(1 << 20);
  for (let i = 0; i < 200; i++) link.send('stuck', large);
  link.send('quick', Uint8Array.of(7));
  assert.equal([...(await quick.receive())[0]!], [7]);
  const [identity] = await unreachable;
  assert.is(identity, 'stuck');
  stuck.close();
  quick.close();
  await link.close();
});

test('each link has a path of its own that is short, private, and gone with it', async () => {
  const [one, two] = [await openLink(), await openLink()];
  assert.is.not(one.link.address, two.link.address);
  const path = one.link.address.slice('ipc://'.length);
  assert.ok(Buffer.byteLength(path) < 100);
  assert.ok(existsSync(path));
  await one.link.close();
  await two.link.close();
  assert.not.ok(existsSync(dirname(path)));
});

test('what a killed engine left is removed, and nothing of one that runs', async () => {
  const running = await openLink();
  const left = join(tmpdir(), `headrace-${randomBytes(6).toString('hex')}`);
  mkdirSync(left);
  const code = `require('node:net').createServer().listen(${JSON.stringify(join(left, 'fleet'))}, () => process.kill(process.pid, 9))`;
  spawnSync(process.execPath, ['-e', code]);
  assert.ok(existsSync(join(left, 'fleet')));
  const hourAgo = Date.now() / 1000 - 3600;
  const runs = dirname(running.link.address.slice('ipc://'.length));
  for (const folder of [left, runs]) utimesSync(folder, hourAgo, hourAgo);
  const next = await openLink();
  while (existsSync(left)) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(existsSync(join(runs, 'fleet')));
  await next.link.close();
  await running.link.close();
});

test.run();
