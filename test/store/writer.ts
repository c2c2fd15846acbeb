/**
 * A process that writes to a log until it is killed: `node writer.ts FOLDER EVENTS`, EVENTS a batch.
 *
 * Batch k of producer `writer` holds events of T0 + k. A line a batch goes to stdout as it is answered: its number,
 * then its position, or the code of the error.
 */
import { StoreThread } from '../../src/store/client.ts';
import { batchOf, keyOf, optionsOf, T0 } from './material.ts';

const IN_FLIGHT = 40;

const folder = process.argv[2]!;
const n = Number(process.argv[3]);
let sent = 0;

const { store } = await StoreThread.open(
  { ...optionsOf({ folder, durability: 'full' }), commitBytesMax: 1e6 },
  {
    committed(group) {
      for (const { id, answer, error } of group.commits) {
        process.stdout.write(`${id} ${answer?.position ?? error?.code}\n`);
        send();
      }
    },
    warning: () => {},
    failed(error) {
      throw error;
    },
  },
);

function send(): void {
  const k = sent++;
  const events = Array.from({ length: n }, () => ({ ts: T0 + k, airport: `A${k}`, delay: k }));
  store.append({ ...batchOf(events, { key: keyOf(k, 'writer') }), id: k });
}

for (let i = 0; i < IN_FLIGHT; i++) send();
