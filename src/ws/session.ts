/**
 * One WebSocket connection: open → (goodbye →) closing → closed.
 *
 * It is a {@link Sink} to push and alerts, and to the message handlers the place of their replies. What it sends leaves
 * at the end of the turn in one write, replies before updates.
 */
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { TimerHandle, Timers } from '../clock.ts';
import type { Config } from '../config.ts';
import { HeadraceError } from '../errors.ts';
import type { Sink } from '../push/sink.ts';
import { asHeadraceError } from '../wire/checks.ts';
import { CLOSE_CODES, type CloseCode } from '../wire/close-codes.ts';
import type { ServerMessage } from '../wire/messages.ts';
import type { EdgeMetrics, Reply, Service } from '../wire/service.ts';
import { Output } from './output.ts';

/** What all sessions share. */
export interface SessionContext {
  service: Service;
  config: Config;
  metrics: EdgeMetrics;
  timers: Timers;
  /** 0 ≤ x < 1 */
  random: () => number;
  log: Logger;
}

/** Answers one message, or throws the error that answers it. */
export type Dispatch = (session: Session, data: Buffer, isBinary: boolean) => void;

export type Id = string | number;

const BAD_MESSAGES_MAX = 10;
const OVERLOADED_RETRY_MS = 100;
const RECONNECT_AFTER_MS = { least: 200, most: 5000 };

export class Session implements Sink {
  readonly context: SessionContext;
  readonly name: string;
  readonly #ws: WebSocket;
  readonly #output: Output;
  readonly #onClosed: () => void;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #draining = false;
  #inflight = 0;
  #badInARow = 0;
  #flushScheduled = false;
  #heard = true;
  #pingTimer: TimerHandle = null;

  constructor(
    ws: WebSocket,
    socket: Duplex,
    name: string,
    context: SessionContext,
    dispatch: Dispatch,
    onClosed: () => void,
  ) {
    this.#ws = ws;
    this.#output = new Output(socket);
    this.#onClosed = onClosed;
    this.context = context;
    this.name = name;
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      this.#heard = true;
      if (this.#state === 'open') dispatch(this, data, isBinary);
    });
    ws.on('pong', () => {
      this.#heard = true;
    });
    ws.on('error', (error: Error & { code?: string }) => {
      const tooLarge = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
      context.metrics.handled('ws', 'unread', tooLarge ? 'too_large' : 'bad_request');
      context.log.debug({ session: name, error: error.message }, 'connection failed');
    });
    ws.on('close', () => this.#closed());
    socket.on('drain', () => {
      if (this.#state === 'open' && !this.congested) context.service.push.drained(this);
    });
    this.#welcome();
    this.#schedulePing();
  }

  // ---- Sink

  get congested(): boolean {
    return this.#output.bufferedBytes > this.context.config.send_watermark_bytes;
  }

  update(frame: Buffer): void {
    if (this.#state === 'open') this.#output.update(frame);
  }

  control(message: object): void {
    this.send(JSON.stringify(message));
  }

  flush(): void {
    if (this.#state !== 'open') return;
    // Nothing may follow a close frame, which `ws` sends by itself in answer to the client's.
    if (this.#ws.readyState === this.#ws.OPEN) this.#output.flush();
    else this.#output.clear();
  }

  // ---- for the message handlers

  /** Queue the text of one message. */
  send(text: string): void {
    if (!this.#hasRoom()) return;
    this.#output.reply(text);
    this.#scheduleFlush();
  }

  /** Queue a message around rows that may have been made in a thread. */
  sendRows(head: string, rows: string | Buffer, tail: string): void {
    if (typeof rows === 'string') {
      this.send(head + rows + tail);
      return;
    }
    if (!this.#hasRoom()) return;
    this.#output.replyParts(head, rows, tail);
    this.#scheduleFlush();
  }

  sendError(name: string, id: Id | undefined, cause: unknown): void {
    const error = asHeadraceError(cause);
    if (error.code === 'internal')
      this.context.log.error({ session: this.name, err: error.cause ?? error }, 'request failed');
    this.context.metrics.handled('ws', name, error.code);
    const message: ServerMessage<'error'> = { type: 'error', ...(id === undefined ? {} : { id }), ...error.body() };
    this.send(JSON.stringify(message));
  }

  /** Runs one request that may be answered in a later turn, within the bound of requests under way. */
  request<T>(name: string, id: Id, start: (done: Reply<T>) => void, answer: (value: T) => void): void {
    if (this.#inflight >= this.context.config.inflight_max) {
      throw new HeadraceError(
        'overloaded',
        `${this.#inflight} requests are under way on this connection, which is all it may have; wait for some answers`,
        { retryAfterMs: OVERLOADED_RETRY_MS },
      );
    }
    this.#inflight++;
    const done: Reply<T> = (error, value) => {
      this.#inflight--;
      if (error !== null) this.sendError(name, id, error);
      else {
        this.context.metrics.handled('ws', name, 'ok');
        answer(value as T);
      }
      if (this.#draining) this.#closeWhenIdle();
    };
    try {
      start(done);
    } catch (error) {
      done(asHeadraceError(error), null);
    }
  }

  refuseWhileDraining(): void {
    if (this.#draining) {
      throw new HeadraceError('draining', 'the server is shutting down; reconnect as its goodbye says', {
        retryAfterMs: RECONNECT_AFTER_MS.least,
      });
    }
  }

  goodMessage(): void {
    this.#badInARow = 0;
  }

  /** A message that could not be read at all. */
  badMessage(error: HeadraceError, id?: Id): void {
    this.sendError('unread', id, error);
    this.#badInARow++;
    if (this.#badInARow >= BAD_MESSAGES_MAX) this.close(4400);
  }

  // ---- for the server

  /** Says goodbye, lets the requests under way be answered, closes. */
  drain(): void {
    if (this.#state !== 'open' || this.#draining) return;
    this.#draining = true;
    const { least, most } = RECONNECT_AFTER_MS;
    const goodbye: ServerMessage<'goodbye'> = {
      type: 'goodbye',
      code: 4503,
      reconnect: CLOSE_CODES[4503].reconnect,
      after_ms: Math.round(least + this.context.random() * (most - least)),
    };
    this.control(goodbye);
    this.#closeWhenIdle();
  }

  close(code: CloseCode): void {
    if (this.#state !== 'open') return;
    this.flush();
    this.#state = 'closing';
    this.#ws.close(code, CLOSE_CODES[code].name);
  }

  terminate(): void {
    this.#ws.terminate();
  }

  // ---- inside

  #welcome(): void {
    const { config, service } = this.context;
    const welcome: ServerMessage<'welcome'> = {
      type: 'welcome',
      session: this.name,
      epoch: service.epoch,
      server: service.server,
      ping_ms: config.ping_ms,
      limits: {
        message_bytes_max: config.message_bytes_max,
        entity_ids_max: config.entity_ids_max,
        entity_id_bytes_max: config.entity_id_bytes_max,
        events_max: config.events_max,
        topics_max: config.topics_max,
        subscriptions_max: config.subscriptions_max,
        inflight_max: config.inflight_max,
      },
      capabilities: [
        'get',
        'as_of',
        'position',
        'min_position',
        'subscribe',
        'resume',
        'ingest',
        'alerts',
        'request',
        'service',
      ],
    };
    this.control(welcome);
  }

  /** False where the message must be dropped: the connection closes, or this overflow closes it. */
  #hasRoom(): boolean {
    if (this.#state !== 'open') return false;
    // Looked at before the message is added, so that one reply larger than the bound can still be had.
    if (this.#output.bufferedBytes <= this.context.config.reply_queue_bytes_max) return true;
    this.context.log.info({ session: this.name }, 'client reads too slowly; closing');
    this.#output.clear();
    this.close(4508);
    return false;
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    process.nextTick(flushScheduled, this);
  }

  runScheduledFlush(): void {
    this.#flushScheduled = false;
    this.flush();
  }

  #closeWhenIdle(): void {
    if (this.#inflight === 0) this.close(4503);
  }

  #schedulePing(): void {
    const { timers, config } = this.context;
    this.#pingTimer = timers.setTimeout(() => {
      this.#heard = false;
      if (this.#state === 'open') this.#ws.ping();
      this.#pingTimer = timers.setTimeout(() => {
        if (this.#heard && this.#state === 'open') this.#schedulePing();
        else this.terminate();
      }, config.ping_slack_ms);
    }, config.ping_ms);
  }

  #closed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.context.timers.clearTimeout(this.#pingTimer);
    this.#output.clear();
    this.context.service.push.closed(this);
    this.#onClosed();
  }
}

function flushScheduled(session: Session): void {
  session.runScheduledFlush();
}
