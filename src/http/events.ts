/** POST /events/:source: JSON, NDJSON of any length, Arrow streams of any length. */
import type { Readable } from 'node:stream';
import { type RecordBatch, RecordBatchReader } from 'apache-arrow';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HeadraceError } from '../errors.ts';
import type { BatchKey } from '../store/log-row.ts';
import { EventsAnswer, EventsBody } from '../wire/bodies.ts';
import { limitEvents } from '../wire/checks.ts';
import { compileCheck, show } from '../wire/validate.ts';
import { isStream, parseJson } from './body.ts';
import type { HttpContext } from './context.ts';
import { LineBatches } from './line-batches.ts';
import { sendJson, sendProblem } from './reply.ts';
import type { Route } from './route.ts';
import { REJECTED_LISTED_MAX, StreamIngest } from './stream-ingest.ts';

export const NDJSON_TYPE = 'application/x-ndjson';
export const ARROW_TYPE = 'application/vnd.apache.arrow.stream';

const LINE_BATCH = { batchEvents: 4096, batchBytes: 512 * 1024 };
const KEY_LENGTH_MAX = 256;
const NAME = 'events';

const check = compileCheck(EventsBody, 'the body');

export function eventRoutes(context: HttpContext): Route[] {
  return [
    {
      method: 'POST',
      path: '/events/:source',
      summary: 'Bring events of one source',
      parameters: [
        { name: 'source', in: 'path', required: true, description: 'Name of the source' },
        {
          name: 'Idempotency-Key',
          in: 'header',
          required: false,
          description: 'The batch of `ingest`, as text: a request sent again under it counts nothing twice',
        },
        {
          name: 'X-Producer',
          in: 'header',
          required: false,
          description: 'The producer of `ingest`; `http` where left out',
        },
      ],
      body: {
        description: 'Events, each an object with the columns of the source',
        content: {
          'application/json': EventsBody,
          [NDJSON_TYPE]: 'One event a line; any length',
          [ARROW_TYPE]: 'An Arrow IPC stream with the columns of the source; any length',
        },
      },
      responses: { 200: { description: 'What became of the events', content: { 'application/json': EventsAnswer } } },
      errors: [
        'malformed_json',
        'bad_request',
        'unknown_source',
        'too_large',
        'too_many',
        'unsupported_media_type',
        'batch_conflict',
        'overloaded',
        'store_unavailable',
      ],
      handle: (request, reply) => {
        const { source } = request.params as { source: string };
        refuseQuery(request);
        const key = keyOf(request);
        if (isStream(request.body)) {
          const isArrow = request.headers['content-type']?.startsWith(ARROW_TYPE) === true;
          void (isArrow ? arrow : ndjson)(context, source, request.body, key, request, reply);
        } else json(context, source, key, request, reply);
      },
    },
  ];
}

/** A batch key in the query would go unseen, and a retry count twice. */
function refuseQuery({ query }: FastifyRequest): void {
  const names = Object.keys(query as object);
  if (names.length === 0) return;
  throw new HeadraceError(
    'bad_request',
    `the query has ${names.map(show).join(', ')}, and this route takes none; ` +
      'a batch is named by the header Idempotency-Key, its producer by X-Producer',
  );
}

function keyOf({ headers }: FastifyRequest): BatchKey | null {
  const batch = header(headers['idempotency-key'], 'Idempotency-Key');
  const producer = header(headers['x-producer'], 'X-Producer');
  if (batch !== null) return { producer: producer ?? 'http', batch, chunk: 0 };
  if (producer === null) return null;
  throw new HeadraceError('bad_request', 'X-Producer means nothing without an Idempotency-Key; send both');
}

function header(value: string | string[] | undefined, name: string): string | null {
  if (value === undefined) return null;
  // The header's draft has a quoted string, most clients send the text as it is.
  const text = String(value).replace(/^"(.*)"$/, '$1');
  if (text.length > 0 && text.length <= KEY_LENGTH_MAX) return text;
  throw new HeadraceError('bad_request', `${name} has ${text.length} characters; expected 1 to ${KEY_LENGTH_MAX}`);
}

function json(
  context: HttpContext,
  source: string,
  key: BatchKey | null,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const body = check(parseJson(request.body));
  const events = Array.isArray(body) ? body : [body];
  limitEvents(events.length, context.config);
  context.service.ingest.rows(source, events, key, (error, answer) => {
    if (error !== null || answer === null) {
      sendProblem(context, NAME, request, reply, error);
      return;
    }
    context.metrics.ingested(source, answer);
    const { position, accepted, late, duplicate, rejected } = answer;
    const body: EventsAnswer = {
      position,
      accepted,
      late,
      duplicate,
      rejected: rejected.slice(0, REJECTED_LISTED_MAX),
      rejected_count: rejected.length,
    };
    context.metrics.handled('http', NAME, 'ok');
    sendJson(reply, body);
  });
}

async function ndjson(
  context: HttpContext,
  source: string,
  body: Readable,
  key: BatchKey | null,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { service, config, metrics, timers } = context;
  const stream = new StreamIngest<unknown[]>(
    (events, part, done) => service.ingest.rows(source, events ?? [], part, done),
    (answer) => metrics.ingested(source, answer),
    key,
    timers,
  );
  await feed(context, stream, request, reply, async () => {
    const lines = new LineBatches({ ...LINE_BATCH, lineBytesMax: config.message_bytes_max }, key === null);
    for await (const piece of keptOpen(body)) {
      for (const batch of lines.write(piece)) await stream.add(batch);
      refuseWhileDraining(context);
    }
    for (const batch of lines.end()) await stream.add(batch);
  });
}

async function arrow(
  context: HttpContext,
  source: string,
  body: Readable,
  key: BatchKey | null,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { service, config, metrics, timers } = context;
  const stream = new StreamIngest<RecordBatch>(
    (batch, part, done) => {
      if (batch === null) service.ingest.rows(source, [], part, done);
      else service.ingest.table(source, batch, part, done);
    },
    (answer) => metrics.ingested(source, answer),
    key,
    timers,
  );
  await feed(context, stream, request, reply, async () => {
    let base = 0;
    for await (const batch of recordBatches(body)) {
      for (let from = 0; from < batch.numRows; from += config.events_max) {
        const events = batch.slice(from, from + config.events_max);
        await stream.add({ events, n: events.numRows, indexes: null, base, malformed: [] });
        base += events.numRows;
      }
      refuseWhileDraining(context);
    }
  });
}

/** The request must outlive an early end of reading: its sender is still to be answered. */
const keptOpen = (body: Readable): AsyncIterable<Buffer> => body.iterator({ destroyOnReturn: false });

async function* recordBatches(body: Readable): AsyncGenerator<RecordBatch> {
  try {
    const reader = await RecordBatchReader.from(keptOpen(body));
    await reader.open();
    if (reader.schema === undefined) throw new Error('it holds no schema');
    for await (const batch of reader) yield batch as RecordBatch;
  } catch (error) {
    if (error instanceof HeadraceError) throw error;
    throw new HeadraceError('bad_request', `the body is not an Arrow IPC stream: ${(error as Error).message}`);
  }
}

/** Reads a body to its end and answers, or says what stopped it and what was taken before. */
async function feed<Events>(
  context: HttpContext,
  stream: StreamIngest<Events>,
  request: FastifyRequest,
  reply: FastifyReply,
  read: () => Promise<void>,
): Promise<void> {
  try {
    await read();
    const answer = await stream.end();
    context.metrics.handled('http', NAME, 'ok');
    sendJson(reply, answer);
  } catch (cause) {
    const error = await stream.fail(cause);
    // Nobody is left to be told; what came is in the log, and a batch key makes the retry harmless.
    if (request.raw.destroyed && !request.raw.complete) {
      context.metrics.handled('http', NAME, 'aborted');
      return;
    }
    sendProblem(context, NAME, request, reply, error);
  }
}

function refuseWhileDraining({ draining }: HttpContext): void {
  if (draining()) throw new HeadraceError('draining', 'the server is shutting down; send the rest to the next one');
}
