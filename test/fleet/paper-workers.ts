import type { Link, LinkHandlers } from '../../src/fleet/link.ts';
import type { Spawner, WorkerProcess } from '../../src/fleet/spawner.ts';
import { type Column, ColumnReader, encodeColumns } from '../../src/wire/columns.ts';
import {
  type AssignHeader,
  decodeFrame,
  encodeFrame,
  type FeatureFailure,
  type Frame,
  type FrameHeaders,
  type FrameType,
  type WorkHeader,
} from '../../src/wire/frames.ts';

/** A work frame as a worker sees it. */
export interface Work {
  type: 'apply' | 'compute';
  header: WorkHeader;
  /** The blocks of the batches, as bytes; in these tests a batch of n events has 8 n of them. */
  batches: Uint8Array[];
  /** By group. */
  codes: number[][];
}

export interface AnswerOptions {
  /** Lease by code; left out: as assigned. */
  lease?: (code: number) => number;
  position?: number;
  /** Index of a group that fails. */
  failing?: number;
  /** Of Python features, in every group. */
  failures?: FeatureFailure[];
}

/** One incarnation of a worker that does what the test says: a process without a process, at the end of no socket. */
export class PaperWorker implements WorkerProcess {
  readonly pid: number;
  readonly identity: string;
  readonly signals: string[] = [];
  readonly frames: Frame[] = [];
  readonly work: Work[] = [];
  assigned: AssignHeader | undefined;
  gone = false;
  readonly #crew: PaperCrew;
  readonly #exited: (reason: string) => void;

  constructor(crew: PaperCrew, identity: string, exited: (reason: string) => void) {
    this.#crew = crew;
    this.identity = identity;
    this.#exited = exited;
    this.pid = 1000 + crew.all.length;
  }

  get slot(): number {
    return Number(/^w(\d+)-/.exec(this.identity)![1]);
  }

  abort(): void {
    this.signals.push('SIGABRT');
    if (this.#crew.diesOnAbort) this.exit('killed by SIGABRT');
  }

  kill(): void {
    this.signals.push('SIGKILL');
    this.exit('killed by SIGKILL');
  }

  exit(reason: string): void {
    if (this.gone) return;
    this.gone = true;
    queueMicrotask(() => this.#exited(reason));
  }

  say<T extends FrameType>(type: T, header: FrameHeaders[T], blocks: Uint8Array[] = []): void {
    this.#crew.handlers!.received(this.identity, encodeFrame(type, header, blocks));
  }

  hello(): void {
    this.say('hello', { pid: this.pid, python: '3', numpy: '2' });
  }

  loaded(position = this.assigned!.position): void {
    this.say('ready', { position, rows: position, load_ms: 1 });
  }

  /** Take in what the engine sends; reloads need nothing, and where the crew is willing, so do assignments. */
  receive(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    this.frames.push(frame);
    if (frame.type === 'assign') {
      this.assigned = frame.header;
      if (this.#crew.willing) queueMicrotask(() => this.gone || this.loaded());
    } else if (frame.type === 'apply' || frame.type === 'compute') this.work.push(readWork(frame));
    else if (frame.type === 'drain') queueMicrotask(() => this.exit('exit status 0'));
  }

  leaseOf(code: number): number {
    const shard = code < 0 ? 0 : code % this.assigned!.shard_count;
    return this.assigned!.shards.find(([owned]) => owned === shard)?.[1] ?? 0;
  }

  /**
   * Answer the oldest frame of work. The one view of these tests has four features: `tens` 10 × code (float64), `code`
   * (int64), `odd` (bool) and `name` (string, `e` + code); code 13 has no value in any of them, and no times.
   */
  answer({ lease = (code) => this.leaseOf(code), position, failing, failures }: AnswerOptions = {}): Work {
    const work = this.work.shift()!;
    const reached = position ?? work.header.position;
    const groups = work.header.groups.map((group, i) => ({
      hash: group.hash,
      as_of: group.as_of,
      position: Math.min(group.position ?? reached, reached),
      n: group.n,
      ...(i === failing ? { error: { code: 'internal', message: 'no such thing' } } : {}),
      ...(failures === undefined ? {} : { failures }),
    }));
    const blocks = work.codes.filter((_, i) => i !== failing).map((codes) => encodeColumns(columnsOf(codes, lease)));
    this.say('values', { id: work.header.id, position: reached, took_us: 1, groups }, blocks);
    return work;
  }
}

function columnsOf(codes: number[], lease: (code: number) => number): Column[] {
  const valued = (value: (code: number) => number, none: number) =>
    Float64Array.from(codes, (code) => (code === 13 ? none : value(code)));
  const valid: Column = { dtype: 'u1', values: Uint8Array.from(codes, (code) => (code === 13 ? 0 : 1)) };
  return [
    { dtype: 'i4', values: Int32Array.from(codes) },
    { dtype: 'u4', values: Uint32Array.from(codes, lease) },
    { dtype: 'i8', values: valued((code) => 1e15 + code, Number.NaN) },
    { dtype: 'i8', values: valued((code) => 9e14 + code, Number.NaN) },
    { dtype: 'f8', values: valued((code) => 10 * code, 0) },
    valid,
    { dtype: 'i8', values: valued((code) => code, 0) },
    valid,
    { dtype: 'u1', values: Uint8Array.from(codes, (code) => code & 1) },
    valid,
    { dtype: 'str', values: codes.map((code) => (code === 13 ? null : `e${code}`)) },
    valid,
  ];
}

function readWork(frame: Extract<Frame, { type: 'apply' | 'compute' }>): Work {
  let at = 0;
  const batches = (frame.header.batches ?? []).map(({ n }) => {
    at += 8 * n;
    return frame.body.slice(at - 8 * n, at);
  });
  const reader = new ColumnReader(frame.body.subarray(at));
  const codes = frame.header.groups.map(({ n }) => [...reader.i4(n)]);
  return { type: frame.type, header: frame.header, batches, codes };
}

/** Starts paper workers and carries their frames. */
export class PaperCrew implements Link, Spawner {
  readonly address = 'paper://';
  readonly all: PaperWorker[] = [];
  handlers: LinkHandlers | undefined;
  closed = false;
  /** Workers say hello and load their shards by themselves. */
  willing = true;
  diesOnAbort = true;
  /** Identities whose frames come back as undeliverable. */
  readonly cut = new Set<string>();

  async open(handlers: LinkHandlers): Promise<void> {
    this.handlers = handlers;
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  send(identity: string, frame: Uint8Array): void {
    const worker = this.all.find((one) => one.identity === identity && !one.gone);
    if (worker !== undefined && !this.cut.has(identity)) worker.receive(frame);
    else queueMicrotask(() => this.handlers!.unreachable(identity, new Error('Host unreachable')));
  }

  spawn(identity: string, _: string, exited: (reason: string) => void): WorkerProcess {
    const worker = new PaperWorker(this, identity, exited);
    this.all.push(worker);
    if (this.willing) queueMicrotask(() => worker.gone || worker.hello());
    return worker;
  }

  /** The newest incarnation in a slot. */
  at(slot: number): PaperWorker {
    return this.all.findLast((worker) => worker.slot === slot)!;
  }
}
