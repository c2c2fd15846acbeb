/**
 * The WebSocket load driver: gets on a fixed schedule. Latency is counted from the moment at which a request was due,
 * so that a stalled server cannot hide what it kept waiting; the latency from the actual sending stands beside it.
 */
import { build, type Histogram } from 'hdr-histogram-js';
import { Client } from './ws-client.ts';

export interface WsLoad {
  url: string;
  connections: number;
  perSecond: number;
  seconds: number;
  /** Entity ids are taken from here in turn. */
  entityIds: string[];
  view: string;
}

export interface WsLoaded {
  perSecond: number;
  failed: number;
  intended: Histogram;
  actual: Histogram;
}

const TICK_MS = 1;
/** How long after the last request answers are waited for. */
const REST_MS = 2000;

export async function wsLoad(load: WsLoad): Promise<WsLoaded> {
  const clients = await Promise.all(Array.from({ length: load.connections }, () => Client.connect(load.url)));
  const intended = build();
  const actual = build();
  const total = Math.floor(load.perSecond * load.seconds);
  let answered = 0;
  let failed = 0;
  const started = performance.now();
  for (let next = 0; next < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * load.perSecond));
    for (; next < due; next++) {
      const dueAt = started + (next / load.perSecond) * 1000;
      const sentAt = performance.now();
      const entityId = load.entityIds[next % load.entityIds.length]!;
      clients[next % clients.length]!.request({ type: 'get', view: load.view, entity_ids: [entityId] }, (answer) => {
        const now = performance.now();
        answered++;
        if (answer['type'] !== 'result') failed++;
        intended.recordValue(Math.max(1, Math.round((now - dueAt) * 1000)));
        actual.recordValue(Math.max(1, Math.round((now - sentAt) * 1000)));
      });
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  const end = performance.now() + REST_MS;
  while (answered < total && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  const seconds = (performance.now() - started) / 1000;
  for (const client of clients) client.close();
  return { perSecond: answered / seconds, failed: failed + total - answered, intended, actual };
}
