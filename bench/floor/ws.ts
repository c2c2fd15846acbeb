/** The floor of WebSocket: a bare `ws` server that parses the JSON request and sends as many bytes as it is told to. */
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const reply = Buffer.alloc(Number(process.argv[2] ?? 550), 'x');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false }, () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
server.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    JSON.parse(data.toString());
    socket.send(reply, { binary: false });
  });
});
process.on('disconnect', () => process.exit(0));
