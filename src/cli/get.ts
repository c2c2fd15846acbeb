/** `headrace get`: the features of some entities, once, over HTTP. */
import { HeadraceError } from '../errors.ts';
import { cell, deprecation, type Terminal, table } from './terminal.ts';

export interface GetOptions {
  url: string;
  view?: string;
  version?: string;
  service?: string;
  features?: string[];
  /** Each `name=value`. */
  request?: string[];
  asOf?: string;
  position?: string;
  timeoutMs: number;
  json: boolean;
}

interface Answer {
  view?: string;
  version?: string;
  /** The date from which the version is deprecated. */
  deprecated?: string;
  rows?: AnswerRow[];
  /** Of an error. */
  detail?: string;
  code?: string;
}

interface AnswerRow {
  entity_id: string;
  features?: Record<string, unknown>;
  as_of?: string;
  request_time?: string;
  position?: number;
  cached?: boolean;
  error?: { code: string; message: string };
}

/**
 * @throws HeadraceError `bad_request` where the address, the position or an input is none
 * @returns the exit status: 0, or 1 where the engine could not be reached, refused, or had no value for some entity
 */
export async function getCommand(entityIds: string[], options: GetOptions, terminal: Terminal): Promise<number> {
  if (!URL.canParse(options.url)) {
    throw new HeadraceError(
      'bad_request',
      `--url is '${options.url}', which is no address; write it like http://127.0.0.1:8787`,
    );
  }
  if (options.position !== undefined && !/^\d+$/.test(options.position)) {
    throw new HeadraceError('bad_request', `--position is '${options.position}'; it takes a whole number`);
  }
  const body = {
    entity_ids: entityIds,
    view: options.view,
    version: options.version,
    service: options.service,
    features: options.features,
    request: options.request === undefined ? undefined : inputsOf(options.request),
    as_of: asTime(options.asOf),
    position: options.position === undefined ? undefined : Number(options.position),
    timeout_ms: options.timeoutMs,
  };
  let response: Response;
  try {
    response = await fetch(new URL('/features/batch', options.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(options.timeoutMs + 2000),
    });
  } catch (error) {
    terminal.err(
      `headrace get: no answer from ${options.url} (${reason(error)}). Is the engine running? Start it with: headrace serve\n`,
    );
    return 1;
  }
  const answer = (await response.json()) as Answer;
  if (!response.ok || answer.rows === undefined) {
    terminal.err(`headrace get: ${answer.detail ?? response.statusText} [${answer.code ?? response.status}]\n`);
    return 1;
  }
  terminal.out(options.json ? `${answer.rows.map((row) => JSON.stringify(row)).join('\n')}\n` : asTable(answer.rows));
  if (answer.deprecated !== undefined) terminal.err(`headrace get: ${deprecation(answer)}\n`);
  for (const row of answer.rows) {
    if (row.error) terminal.err(`headrace get: ${row.entity_id}: ${row.error.message} [${row.error.code}]\n`);
  }
  return answer.rows.some((row) => row.error) ? 1 : 0;
}

/** One column an entity, one line a feature: names are long, entities few. */
function asTable(rows: AnswerRow[]): string {
  const good = rows.filter((row) => row.features !== undefined);
  const names = Object.keys(good[0]?.features ?? {});
  if (good.length === 0) return '';
  return table([
    ['feature', ...good.map((row) => row.entity_id)],
    ...names.map((name) => [name, ...good.map((row) => cell(row.features?.[name]))]),
    ['as_of', ...good.map((row) => row.as_of ?? '')],
    ...(good[0]!.request_time === undefined ? [] : [['request_time', ...good.map((row) => row.request_time ?? '')]]),
    ['position', ...good.map((row) => cell(row.position))],
    ['cached', ...good.map((row) => cell(row.cached))],
  ]);
}

/** The inputs of a request: what reads as a number, true, false or null is one, and all else is text. */
function inputsOf(assignments: string[]): Record<string, unknown> {
  return Object.fromEntries(
    assignments.map((assignment) => {
      const at = assignment.indexOf('=');
      if (at > 0) return [assignment.slice(0, at), inputOf(assignment.slice(at + 1))];
      throw new HeadraceError('bad_request', `--request is '${assignment}'; write name=value, such as amount=12.5`);
    }),
  );
}

function inputOf(text: string): unknown {
  if (/^(true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?)$/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // A number as JSON has none, such as 007.
    }
  }
  return text;
}

/** Epoch milliseconds where the text is a number, else the text as it is (ISO 8601). */
export function asTime(text: string | undefined): string | number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return error instanceof Error ? error.message : String(error);
}
