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

const CLOCKS: Record<ClockKind, string> = {
  event: 'event',
  orders: '{ mode: event, sources: [orders] }',
  wall: 'wall',
};

/** The registry, and what it may be changed to while it serves: by what the text has, what it has then. */
const CHANGES: [string, string][][] = [
  [],
  // One version more.
  [
    [
      '          visits: { type: statistical, source: visits, aggregation: count, window: 15s }\n',
      `          visits: { type: statistical, source: visits, aggregation: count, window: 15s }
      v3:
        features:
          dearest: { type: statistical, source: orders, field: amount, aggregation: max, window: 33s }
          orders: { type: statistical, source: orders, aggregation: count, window: 33s }
`,
    ],
  ],
  // One fewer: nothing extends it.
  [
    [
      `      v2:
        extends: v1
        features:
          visits: { type: statistical, source: visits, aggregation: count, window: 15s }
`,
      '',
    ],
  ],
  // Another option, the same definitions.
  [['ttl: 20s', 'ttl: 3s']],
  // Another definition under the same version, by force.
  [['aggregation: count, window: 20s', 'aggregation: count, window: 28s']],
];

/** @returns the registry first, then its changes, each with objects of its own */
export function shopsOf(clock: ClockKind): Registry[] {
  return CHANGES.map((changes) => {
    let changed = text(CLOCKS[clock]);
    for (const [from, to] of changes) {
      if (!changed.includes(from)) throw new Error(`the registry of the simulation has no ${from}`);
      changed = changed.replace(from, to);
    }
    return parseRegistry(changed, 'features.yaml');
  });
}
