/**
 * `make run EXAMPLE=fraud`: the engine on four weeks of card payments with fraud among them, and a replay of the week
 * after them as live events. The payments are made first (generate.py), where the data folder has none.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runExample } from '../run-example.ts';

const LOADED_UNTIL = '2026-02-02T00:00:00Z';

interface Fraud {
  kind: 'card_testing' | 'stolen_card' | 'merchant_takeover';
  entity_id: string;
  start: string;
  end: string;
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '8787' },
    data: { type: 'string', default: '.data' },
    replay: { type: 'string', default: '600' },
  },
});

// Beside the data of other examples, whose log knows other sources.
const data = join(flags.data, 'fraud');
const list = join(data, 'fraud.json');
if (!existsSync(list)) {
  execFileSync(path('../../.venv/bin/python'), [path('generate.py'), data], { stdio: 'inherit' });
}
const frauds = JSON.parse(readFileSync(list, 'utf8')) as Fraud[];
/** The first of a kind in the replay, or the last before it. */
const first = (kind: Fraud['kind']): Fraud => frauds.find((one) => one.kind === kind && one.start > LOADED_UNTIL)!;
const before = (kind: Fraud['kind']): Fraud => frauds.findLast((one) => one.kind === kind && one.end < LOADED_UNTIL)!;

runExample(
  {
    registry: path('features.yaml'),
    source: 'transactions',
    file: join(data, 'transactions.parquet'),
    loadedUntil: LOADED_UNTIL,
    replayedUntil: '2026-02-09T00:00:00Z',
    hello(url, { http, ws, speed }) {
      const [tested, stolen, taken] = [first('card_testing'), first('stolen_card'), first('merchant_takeover')];
      const past = before('stolen_card');
      return `\
The payments up to ${LOADED_UNTIL} are loaded.${speed > 0 ? ` The week after them comes in at ${speed} × real time.` : ''}

  HTTP       ${url}         (routes: ${url}/openapi.json)
  WebSocket  ${url.replace('http', 'ws')}/ws

Try, in another terminal. A number that is tried at ${tested.start}, a card that is stolen at ${stolen.start}, and
a merchant that is taken over at ${taken.start}:

  ./headrace watch ${tested.entity_id} ${stolen.entity_id} --view card_activity --features risk,transactions_1h,amount_z,declined_share_1h${ws}
  ./headrace watch ${taken.entity_id} --view merchant_activity --features transactions_1h,ticket_shift,declined_share_1h,cards_1h${ws}

What a model would be given for a payment of 900 euros, and how a theft of the past looked:

  curl -s ${url}/features -H 'content-type: application/json' \\
    -d '{"service":"fraud_model","entity_id":"${tested.entity_id}","request":{"amount":900}}'
  ./headrace get ${past.entity_id} --view card_activity --as-of ${past.end}${http}

Does it stand out, and is it what pandas computes?

  .venv/bin/python examples/fraud/check.py${data === join('.data', 'fraud') ? '' : ` ${data}`}${http}`;
    },
  },
  flags,
);
