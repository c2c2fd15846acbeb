import { randomBytes } from 'node:crypto';
import { mkdirSync, readdir, rm, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Router } from 'zeromq';
import { systemTimers } from '../clock.ts';
import { HeadraceError } from '../errors.ts';
import type { Link, LinkHandlers } from './link.ts';

/** A unix socket's path has 108 bytes at most; ZeroMQ wants some of them. */
const PATH_BYTES_MAX = 100;
const FOLDER = /^headrace-[0-9a-f]{12}$/;
const SOCKET = 'fleet';
const ABANDONED_MS = 10_000;
/** A worker has one frame of work in flight, and now and then a reload, an assign or a drain behind it. */
const HIGH_WATER_MARK = 16;

/**
 * A ZeroMQ ROUTER on a unix socket in a folder of its own, which only this user may enter.
 *
 * With `mandatory` and no send timeout a frame is either queued at once or refused with an error: a hung or unknown
 * worker never makes the others wait, and no frame vanishes. The socket stays on the main thread.
 */
export class ZmqLink implements Link {
  readonly address: string;
  readonly #folder: string;
  readonly #socket: Router;
  #handlers: LinkHandlers | undefined;
  #receiving: Promise<void> = Promise.resolve();

  constructor() {
    this.#folder = join(tmpdir(), `headrace-${randomBytes(6).toString('hex')}`);
    const path = join(this.#folder, SOCKET);
    if (Buffer.byteLength(path) >= PATH_BYTES_MAX) {
      throw new HeadraceError(
        'internal',
        `The workers' socket '${path}' has a path of ${PATH_BYTES_MAX} bytes or more; set TMPDIR to a shorter folder.`,
      );
    }
    this.address = `ipc://${path}`;
    this.#socket = new Router({
      mandatory: true,
      sendTimeout: 0,
      sendHighWaterMark: HIGH_WATER_MARK,
      receiveHighWaterMark: HIGH_WATER_MARK,
      linger: 0,
    });
  }

  async open(handlers: LinkHandlers): Promise<void> {
    this.#handlers = handlers;
    removeAbandoned();
    mkdirSync(this.#folder, { mode: 0o700 });
    await this.#socket.bind(this.address);
    this.#receiving = this.#receive(handlers);
  }

  send(identity: string, frame: Uint8Array): void {
    this.#socket
      .send([identity, frame])
      .catch((error: Error) => this.#socket.closed || this.#handlers?.unreachable(identity, error));
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#receiving;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #receive(handlers: LinkHandlers): Promise<void> {
    try {
      // A received buffer pins its whole message and starts anywhere: the copy is aligned and free of it.
      for await (const [identity, frame] of this.#socket) {
        handlers.received(identity!.toString(), new Uint8Array(frame ?? []));
      }
    } catch (error) {
      if (!this.#socket.closed) handlers.unreachable(null, error as Error);
    }
  }
}

/** Removes the folders of engines that were killed, at whose sockets nobody listens. What cannot be removed stays. */
function removeAbandoned(): void {
  readdir(tmpdir(), (_, names = []) => {
    for (const name of names.filter((found) => FOLDER.test(found))) {
      const folder = join(tmpdir(), name);
      const probe = connect(join(folder, SOCKET), () => probe.destroy());
      probe.on('error', ({ code }: NodeJS.ErrnoException) => {
        if (code === 'ECONNREFUSED' && isOld(folder)) rm(folder, { recursive: true, force: true }, () => undefined);
      });
    }
  });
}

/** An engine that starts just now has a socket at which it does not listen yet. */
function isOld(folder: string): boolean {
  const changedMs = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
  return systemTimers.wallMicros() / 1000 - changedMs > ABANDONED_MS;
}
