/** The registry of the simulation: two sources, two entities an order, views of every kind of freshness. */
import { parseRegistry } from '../../src/registry/load.ts';
import type { Registry } from '../../src/registry/view.ts';

const text = (clock: string) => `
project: shop
clock: ${clock}
entities: { user: {}, item: {} }
sources:
  orders:
    keys: { user: user_id, item: "{item_id}" }
    timestamp: at
    fields: { amount: int, colour: category }
    lateness: 10s
    max_ahead: 60s
    retention: 120s
    history: 240s
  visits:
    keys: { user: user_id }
    timestamp: at
    fields: { seconds: int }
    lateness: 20s
    max_ahead: 60s
    retention: 90s
    history: 300s
views:
  shopper:
    entity: user
    ttl: 20s
    versions:
      v1:
        features:
          orders: { type: statistical, source: orders, aggregation: count }
          spent: { type: statistical, source: orders, field: amount, aggregation: sum, window: 30s }
          mean: { type: statistical, source: orders, field: amount, aggregation: mean, window: 60s }
          colour: { type: statistical, source: orders, field: colour, aggregation: last, window: 45s }
          seconds: { type: statistical, source: visits, field: seconds, aggregation: sum, window: 40s }
          pace: { type: expression, expression: spent / seconds }
      v2:
        extends: v1
        features:
          visits: { type: statistical, source: visits, aggregation: count, window: 15s }
  exact_shopper:
    entity: user
    ttl: 5m
    exact: true
    versions:
      v1:
        features:
          orders: { type: statistical, source: orders, aggregation: count, window: 20s }
          longest: { type: statistical, source: visits, field: seconds, aggregation: max, window: 35s }
  stock:
    entity: item
    ttl: 4s
    stale_while_revalidate: 10s
    versions:
      v1:
        features:
          sold: { type: statistical, source: orders, aggregation: count, window: 60s }
          cheapest: { type: statistical, source: orders, field: amount, aggregation: min, window: 25s }
          latest: { type: statistical, source: orders, field: amount, aggregation: last }
`;

export type ClockKind = 'event' | 'orders' | 'wall';

export const SHOPS: Record<ClockKind, Registry> = {
  event: parseRegistry(text('event'), 'features.yaml'),
  orders: parseRegistry(text('{ mode: event, sources: [orders] }'), 'features.yaml'),
  wall: parseRegistry(text('wall'), 'features.yaml'),
};
