/**
 * A closed loop over WebSocket, in a process of its own: each connection keeps `depth` requests under way.
 * Arguments: one JSON object {@link Drive}; the result goes to the parent by IPC.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { quantile } from './machine.ts';

export interface Drive {
  url: string;
  /** The same text is sent each time. */
  request: string;
  connections: number;
  depth: number;
  seconds: number;
}

export interface Driven {
  perSecond: number;
  p50Us: number;
  p99Us: number;
}

const drive = JSON.parse(process.argv[2]!) as Drive;
const request = Buffer.from(drive.request);
const latenciesUs: number[] = [];
let answered = 0;

async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(drive.url, 'headrace.v1.json', { perMessageDeflate: false });
  const sentAt: number[] = [];
  const send = () => {
    sentAt.push(performance.now());
    socket.send(request, { binary: false });
  };
  await once(socket, 'open');
  socket.on('message', (data: Buffer) => {
    // The welcome, which is nobody's answer.
    if (data.length > 13 && data.toString('latin1', 0, 18).includes('welcome')) return;
    answered++;
    latenciesUs.push((performance.now() - sentAt.shift()!) * 1000);
    send();
  });
  for (let i = 0; i < drive.depth; i++) send();
  return socket;
}

const sockets = await Promise.all(Array.from({ length: drive.connections }, connect));
const started = performance.now();
const before = answered;
latenciesUs.length = 0;
setTimeout(() => {
  const seconds = (performance.now() - started) / 1000;
  const result: Driven = {
    perSecond: (answered - before) / seconds,
    p50Us: quantile(latenciesUs, 0.5),
    p99Us: quantile(latenciesUs, 0.99),
  };
  for (const socket of sockets) socket.terminate();
  process.send!(result, () => process.exit(0));
}, drive.seconds * 1000);
