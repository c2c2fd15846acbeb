import { Duplex } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { textFrame } from '../../src/ws/frame.ts';
import { Output } from '../../src/ws/output.ts';

const test = suite('ws/output');

/** A socket that keeps the writes it gets. */
class Kept extends Duplex {
  readonly writes: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk);
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }
}

/** The texts of a run of frames. */
function texts(frames: Buffer): string[] {
  const found: string[] = [];
  let at = 0;
  while (at < frames.length) {
    assert.is(frames[at], 0x81);
    const short = frames[at + 1]!;
    const [start, length] =
      short < 126
        ? [at + 2, short]
        : short === 126
          ? [at + 4, frames.readUInt16BE(at + 2)]
          : [at + 10, Number(frames.readBigUInt64BE(at + 2))];
    found.push(frames.toString('utf8', start, start + length));
    at = start + length;
  }
  return found;
}

test('frames of every length, in one byte a character and in several', () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) {
    for (const unit of ['x', 'é', '√']) {
      const text = unit.repeat(length);
      assert.equal(texts(textFrame(text)), [text], `${length} × ${unit}`);
    }
  }
});

test('a turn is one write, replies before updates', () => {
  const socket = new Kept();
  const output = new Output(socket);
  output.update(textFrame('update 1'));
  output.reply('reply 1');
  output.update(textFrame('update 2'));
  output.replyParts('{"é":', Buffer.from('[1]'), '}');
  output.reply('reply 2');
  assert.is(socket.writes.length, 0);
  output.flush();
  assert.is(socket.writes.length, 1);
  assert.equal(texts(socket.writes[0]!), ['reply 1', '{"é":[1]}', 'reply 2', 'update 1', 'update 2']);
  output.flush();
  assert.is(socket.writes.length, 1);
  assert.is(output.bufferedBytes, 0);
});

test('many and large messages keep their order and their bytes', () => {
  const socket = new Kept();
  const output = new Output(socket);
  const expected: string[] = [];
  for (let i = 0; i < 300; i++) {
    const text = `${i}:${'y'.repeat(i % 7 === 0 ? 70_000 : 900)}`;
    expected.push(text);
    output.reply(text);
  }
  for (let i = 0; i < 300; i++) {
    const text = `u${i}:${'z'.repeat(i % 50 === 0 ? 70_000 : 900)}`;
    expected.push(text);
    output.update(textFrame(text));
  }
  output.flush();
  assert.equal(texts(Buffer.concat(socket.writes)), expected);
});

test('what is queued counts as buffered; a socket that is gone gets nothing', () => {
  const socket = new Kept();
  const output = new Output(socket);
  output.reply('12345');
  output.update(Buffer.alloc(100));
  assert.is(output.bufferedBytes, 105);
  output.clear();
  assert.is(output.bufferedBytes, 0);
  socket.destroy();
  output.reply('late');
  output.flush();
  assert.is(socket.writes.length, 0);
});

test.run();
