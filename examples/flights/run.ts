/** `make run`: the engine on three million US flights, and a replay of a week of them as live events. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runExample } from '../run-example.ts';

const LOADED_UNTIL = '2001-06-23T12:00:00Z';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '8787' },
    data: { type: 'string', default: '.data' },
    replay: { type: 'string', default: '600' },
  },
});

runExample(
  {
    registry: path('features.yaml'),
    source: 'departures',
    file: path('../../node_modules/vega-datasets/data/flights-3m.parquet'),
    loadedUntil: LOADED_UNTIL,
    replayedUntil: '2001-06-30T12:00:00Z',
    hello: (url, { http, ws, speed }) => `\
The flights up to ${LOADED_UNTIL} are loaded.${speed > 0 ? ` The week after them comes in at ${speed} × real time.` : ''}

  HTTP       ${url}         (routes: ${url}/openapi.json)
  WebSocket  ${url.replace('http', 'ws')}/ws

Try, in another terminal:

  curl -s ${url}/features -H 'content-type: application/json' -d '{"view":"airport_delay","entity_id":"ORD"}'
  ./headrace watch ORD ATL LAX --view airport_delay${ws}
  ./headrace get ORD --view airport_delay --as-of 2001-03-01T12:00:00Z${http}`,
  },
  flags,
);
