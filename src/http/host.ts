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

/** The host of an Origin; nothing where it names none, such as the `null` of a local file or a sandboxed frame. */
const originName = (origin: string): string => hostName(/^[a-z][a-z\d+.-]*:\/\/([^/]+)$/i.exec(origin)?.[1] ?? '');

type Guard = (value: string) => HeadraceError | null;

/** Remembers what was let in, so that it is not read again with every request. */
function remembering(guard: Guard): (value: string | undefined) => HeadraceError | null {
  const accepted = new Set<string | undefined>([undefined]);
  return (value) => {
    if (accepted.has(value)) return null;
    const refusal = guard(value as string);
    if (refusal === null && accepted.size < REMEMBERED_MAX) accepted.add(value);
    return refusal;
  };
}

const refusal = (header: string, value: string): HeadraceError =>
  new HeadraceError(
    'bad_request',
    `the ${header} header names ${JSON.stringify(value)}; ` +
      'a server without authentication answers to localhost and loopback addresses only',
  );

/**
 * Refuses requests whose Host is another name than one of this machine: a page of a stranger's site that has its name
 * point to 127.0.0.1 (DNS rebinding) would else read and write here. Likewise those whose Origin is one: browsers let
 * the page of any site open a WebSocket to any host and post to it, and say only there whose page it is.
 */
export function hostGuard(): (request: IncomingMessage) => HeadraceError | null {
  const host = remembering((value) => (isLoopback(hostName(value)) ? null : refusal('Host', value)));
  const origin = remembering((value) => (isLoopback(originName(value)) ? null : refusal('Origin', value)));
  return ({ headers }) => host(headers.host) ?? origin(headers.origin);
}
