/** The floor of HTTP: bare `node:http` that parses the JSON body and sends as many bytes as it is told to. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const reply = Buffer.alloc(Number(process.argv[2] ?? 550), 'x');

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    JSON.parse(Buffer.concat(chunks).toString());
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': reply.length });
    response.end(reply);
  });
});

server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
