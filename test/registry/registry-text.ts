/** Small registries for tests, as text. */
import { parseRegistry } from '../../src/registry/load.ts';
import type { View } from '../../src/registry/view.ts';

const HEAD = `
project: shop
entities: { user: { description: A customer }, item: {}, pair: {} }
sources:
  orders:
    keys: { user: user_id, item: "{item_id}", pair: "{user_id}/{item_id}!" }
    timestamp: at
    fields: { price: float, count: int, paid: bool, colour: category, due: timestamp }
    retention: 30d
    history: 10d
  visits: { keys: { user: user_id }, timestamp: at, fields: { seconds: float }, retention: 7d, history: 2d }
`;

/** @param features lines such as `n: { type: statistical, source: orders, aggregation: count }` */
export function registryText(features: string[], keys: string[] = []): string {
  const lines = features.map((line) => `          ${line}`).join('\n');
  const more = keys.map((line) => `    ${line}\n`).join('');
  return `${HEAD}views:\n  shopper:\n    entity: user\n${more}    versions:\n      v1:\n        features:\n${lines}\n`;
}

/** Version v1 of a view of users over the sources `orders` and `visits`. */
export function viewOf(features: string[], keys: string[] = []): View {
  return parseRegistry(registryText(features, keys), 'features.yaml').views.get('shopper')![0]!;
}

export const COUNT = 'n: { type: statistical, source: orders, aggregation: count, window: 1h }';
