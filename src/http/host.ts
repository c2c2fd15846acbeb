/** Who may reach a server that has no authentication. */
import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import type { Config } from '../config.ts';
import { HeadraceError } from '../errors.ts';

const REMEMBERED_MAX = 100;

const isLoopback = (name: string): boolean =>
  name === 'localhost' || name.endsWith('.localhost') || name === '::1' || (isIPv4(name) && name.startsWith('127.'));

/** Throws where the server would listen for others without knowing them. */
export function assertHost(config: Pick<Config, 'host'>): void {
  if (isLoopback(config.host)) return;
  throw new HeadraceError(
    'unsupported',
    `host is ${config.host}, which others can reach, and this server has no authentication; ` +
      'listen on 127.0.0.1 and let a proxy that authenticates pass requests on',
  );
}

/** `HOST:PORT` without the port and the brackets of IPv6. */
const hostName = (host: string): string =>
  host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();

/**
 * Refuses requests whose Host is another name than one of this machine: a page of a stranger's site that has its name
 * point to 127.0.0.1 (DNS rebinding) would else read and write here.
 */
export function hostGuard(): (request: IncomingMessage) => HeadraceError | null {
  const accepted = new Set<string | undefined>([undefined]);
  return ({ headers: { host } }) => {
    if (accepted.has(host)) return null;
    if (!isLoopback(hostName(host as string))) {
      return new HeadraceError(
        'bad_request',
        `the Host header names ${JSON.stringify(host)}; a server without authentication answers to localhost and 127.0.0.1 only`,
      );
    }
    if (accepted.size < REMEMBERED_MAX) accepted.add(host);
    return null;
  };
}
