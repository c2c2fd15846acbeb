/** What the commands that bring events ask of a running engine over HTTP. */
import type { ErrorBody } from '../errors.ts';
import { parseTemplate } from '../registry/key-template.ts';
import type { Field, FieldType, Source } from '../registry/view.ts';
import type { LastBatch, RegistryAnswer } from '../wire/bodies.ts';

/** The engine could not be reached, or refused. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  /** Whether the same request may succeed later. */
  readonly temporary: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, temporary: boolean, retryAfterMs?: number) {
    super(message);
    this.temporary = temporary;
    this.retryAfterMs = retryAfterMs;
  }
}

export type SourceShape = Pick<Source, 'name' | 'keys' | 'timestamp' | 'fields'>;

/** The HTTP address of an engine named by its HTTP or WebSocket address. */
export function httpOrigin(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new EngineError(`--url is '${url}', which is no address; write it like http://127.0.0.1:8787`, false);
  }
  return `${parsed.protocol === 'ws:' || parsed.protocol === 'http:' ? 'http' : 'https'}://${parsed.host}`;
}

/** The WebSocket address of an engine named by its HTTP or WebSocket address: its path is `/ws` where none is given. */
export function webSocketAddress(url: string): string {
  const { protocol, host, pathname, search } = new URL(url);
  return `${protocol.replace('http', 'ws')}//${host}${pathname === '/' ? '/ws' : pathname}${search}`;
}

/** Sends a request and gives its JSON answer; an error that the engine tells is an {@link EngineError}. */
export async function call<T>(url: URL, init: RequestInit): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, init);
    text = await response.text();
  } catch (error) {
    if ((init.signal as AbortSignal | null)?.aborted === true) throw error;
    const cause = (error as Error).cause as Error | undefined;
    const why = cause?.message ? cause.message : (error as Error).message;
    throw new EngineError(`no answer from ${url.origin} (${why}); is the engine running?`, true);
  }
  if (response.ok) return JSON.parse(text) as T;
  throw problemOf(response, text);
}

function problemOf(response: Response, text: string): EngineError {
  let problem: Partial<ErrorBody> & { detail?: string } = {};
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    // Not the engine's own words: a proxy's, say. The status tells enough.
  }
  const { detail, code, temporary, retry_after_ms: retryAfterMs } = problem;
  return new EngineError(
    `${detail ?? response.statusText} [${code ?? response.status}]`,
    temporary ?? (response.status === 429 || response.status >= 500),
    retryAfterMs,
  );
}

/** What the engine's registry says of a source. */
export async function fetchSource(origin: string, name: string, signal: AbortSignal): Promise<SourceShape> {
  const { sources } = await call<RegistryAnswer>(new URL('/registry', origin), { signal });
  const found = sources.find((source) => source.name === name);
  if (found === undefined) {
    const known = sources.map((source) => source.name).join(', ');
    throw new EngineError(`the engine has no source '${name}'; it has ${known}`, false);
  }
  return {
    name,
    timestamp: found.timestamp,
    keys: Object.entries(found.keys).map(([entity, text]) => ({ entity, template: parseTemplate(text) as string[] })),
    fields: Object.entries(found.fields).map(([field, type]): Field => ({ name: field, type: type as FieldType })),
  };
}

/** The batch that a producer wrote last; null: none. */
export async function fetchLastBatch(
  origin: string,
  producer: string,
  source: string,
  signal: AbortSignal,
): Promise<LastBatch | null> {
  const url = new URL(`/producers/${encodeURIComponent(producer)}`, origin);
  url.searchParams.set('source', source);
  return (await call<{ last: LastBatch | null }>(url, { signal })).last;
}
