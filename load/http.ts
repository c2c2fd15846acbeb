/** autocannon against the running engine: hits, misses, batches, and a mix. */
import autocannon, { type Options, type Request, type Result } from 'autocannon';
import { build } from 'hdr-histogram-js';

export interface HttpLoad {
  url: string;
  connections: number;
  seconds: number;
  entityIds: string[];
  view: string;
  /** The engine's clock when the load begins, epoch milliseconds: misses ask for moments before it. */
  nowMs: number;
}

export type Scenario = 'hit' | 'miss' | 'batch' | 'mixed';

export interface HttpLoaded {
  perSecond: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  failed: number;
}

const HEADERS = { 'content-type': 'application/json' };
/** Of the mix, one request in five is a miss. */
const MISS_EVERY = 5;

export async function httpLoad(scenario: Scenario, load: HttpLoad): Promise<HttpLoaded> {
  const latency = build();
  const options = {
    url: load.url,
    connections: load.connections,
    duration: load.seconds,
    requests: requests(scenario, load),
  };
  const result = await cannon(options, (tookMs) => latency.recordValue(Math.max(1, Math.round(tookMs * 1000))));
  const ms = (percentile: number) => latency.getValueAtPercentile(percentile) / 1000;
  return {
    perSecond: result.requests.total / result.duration,
    p50Ms: ms(50),
    p95Ms: ms(95),
    p99Ms: ms(99),
    failed: result.non2xx + result.errors + result.timeouts,
  };
}

function requests(scenario: Scenario, load: HttpLoad): Request[] {
  const { view, entityIds } = load;
  let sent = 0;
  const pick = () => entityIds[sent++ % entityIds.length]!;
  const post = (path: string, body: () => object): Request => ({
    method: 'POST',
    path,
    headers: HEADERS,
    setupRequest: (request) => ({ ...request, body: JSON.stringify(body()) }),
  });
  const hit = post('/features', () => ({ view, entity_id: pick() }));
  // The past is never cached, and each request asks for another moment of it.
  const miss = post('/features', () => ({ view, entity_id: pick(), as_of: load.nowMs - 1000 * (sent % 86_400) }));
  const batch = post('/features/batch', () => ({ view, entity_ids: entityIds }));
  if (scenario === 'hit') return [hit];
  if (scenario === 'miss') return [miss];
  if (scenario === 'batch') return [batch];
  return [...Array.from({ length: MISS_EVERY - 1 }, () => hit), miss];
}

/** autocannon's own summary has no 95th percentile, so each answer's time is handed on. */
function cannon(options: Options, answered: (tookMs: number) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    const run = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)));
    run.on('response', (_client, _status, _bytes, tookMs) => answered(tookMs));
  });
}
