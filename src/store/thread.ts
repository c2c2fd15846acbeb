/** The log's thread: owns the SQLite file and every write to it. Entry of the worker that client.ts starts. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Log } from './log.ts';
import type { LogReply, LogRequest } from './messages.ts';
import type { StoreOptions } from './store.ts';
import { errorBody, takeTurn, takeUpkeep } from './turn.ts';

const port = parentPort!;
const options = workerData as StoreOptions;
const reply = (message: LogReply, transfer: ArrayBuffer[]) => port.postMessage(message, transfer);
const receive = () => receiveMessageOnPort(port)?.message as LogRequest | undefined;

function serve(log: Log): void {
  let upkeep: NodeJS.Immediate | undefined;
  const rest = () => {
    upkeep = takeUpkeep(log, reply) ? setImmediate(rest) : undefined;
  };
  port.on('message', (request: LogRequest) => {
    if (takeTurn(log, request, receive, options.commitBytesMax, reply)) {
      upkeep ??= setImmediate(rest);
      return;
    }
    clearImmediate(upkeep);
    port.close();
  });
  reply({ type: 'opened', state: log.state() }, []);
  upkeep = setImmediate(rest);
}

try {
  serve(new Log(options));
} catch (error) {
  reply({ type: 'refused', error: errorBody(error) }, []);
}
