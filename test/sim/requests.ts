/** Clients that ask for values. */
import { HeadraceError } from '../../src/errors.ts';
import type { View } from '../../src/registry/view.ts';
import type { Query } from '../../src/serve/query.ts';
import { Asked, describe } from './asked.ts';
import { CROWD, GUESTS, ITEMS, published, STRANGERS, USERS, viewName, type World } from './world.ts';

const INVALID_IDS = ['', 'tab\there', 'x'.repeat(600)];

export const entityIdsOf = (view: View): string[] =>
  view.plan.entity === 'user' ? [...USERS, ...GUESTS.slice(0, 3), ...STRANGERS] : [...ITEMS, ...STRANGERS];

export class Requests {
  readonly #world: World;
  #open: Asked[] = [];
  readonly #crowdView: string;
  count = 0;

  constructor(world: World) {
    this.#world = world;
    this.#crowdView = viewName(world.random.pick(world.views));
  }

  get open(): number {
    return this.#open.length;
  }

  /** Their connections are gone. */
  forget(): void {
    this.#open = [];
  }

  check(): void {
    for (const asked of this.#open) asked.checkDeadline();
    this.#open = this.#open.filter(({ done }) => !done);
  }

  /** The next look of a producer that was just told a position. */
  getNow(view: View, entityId: string, position: number): void {
    const { random } = this.#world;
    this.#ask({
      view,
      select: null,
      entityIds: [entityId],
      timeoutMs: 5000,
      asOf: null,
      position: random.chance(0.1) ? position : null,
      minPosition: random.chance(0.3) ? position : 0,
    });
  }

  /** Many at once, whom nobody knows. */
  getCrowd(): void {
    const { views, random } = this.#world;
    const view = views.find((one) => viewName(one) === this.#crowdView) ?? random.pick(views);
    this.#ask({ view, select: null, entityIds: CROWD, timeoutMs: 5000, asOf: null, position: null, minPosition: 0 });
  }

  getSomething(): void {
    const { random, engine, views } = this.#world;
    const view = random.pick(views);
    const { head, clock } = engine.core;
    const known = entityIdsOf(view);
    const entityIds = Array.from({ length: random.number({ 1: 8, 2: 3, 4: 2, 0: 0.2 }) }, () =>
      random.chance(0.02) ? random.pick(INVALID_IDS) : random.pick(known),
    );
    const query: Query = {
      view,
      select: null,
      entityIds,
      timeoutMs: random.pick([1, 20, 150, 1000, 5000, 5000, 5000]),
      asOf: null,
      position: null,
      minPosition: 0,
    };
    switch (random.weighted({ plain: 10, asOf: 2, position: 2, both: 1, least: 2, leastThen: 0.3 })) {
      case 'asOf':
        query.asOf = clock.now() - (random.chance(0.2) ? -random.int(1, 20e6) : random.int(0, view.history * 1.05));
        break;
      case 'position':
        query.position = random.int(0, head + 1);
        break;
      case 'both':
        query.asOf = clock.now() - random.int(0, view.history);
        query.position = random.int(0, head);
        break;
      case 'least':
        query.minPosition = random.int(Math.max(0, head - 5), head + 6);
        break;
      case 'leastThen':
        query.minPosition = random.int(0, head + 3);
        if (random.chance(0.5)) query.position = random.int(0, head);
        else query.asOf = clock.now();
        break;
    }
    this.#ask(query);
  }

  /** The short way of a single entity: text, or nothing. */
  hot(): void {
    const { random, views, engine } = this.#world;
    const view = random.pick(views);
    const entityId = random.pick(entityIdsOf(view));
    const text = engine.core.serve.hotText(view, entityId);
    this.#world.trace(`hot ${viewName(view)} ${entityId}: ${text === null ? 'nothing' : 'a hit'}`);
    if (text === null) return;
    const asked = new Asked(this.#world, {
      view,
      select: null,
      entityIds: [entityId],
      timeoutMs: 0,
      asOf: null,
      position: null,
      minPosition: 0,
    });
    const row = engine.core.cache.peek(view, entityId);
    if (row === undefined || text !== engine.core.writers.of(view, null).rowText(entityId, row, 'cached')) {
      this.#world.fail(`the text of a hit of ${entityId} is not that of its row: ${text}`);
    } else {
      asked.row(0, row, 'cached');
    }
  }

  #ask(query: Query): void {
    const { engine, trace } = this.#world;
    const expected = refusalOf(this.#world, query);
    const asked = new Asked(this.#world, query);
    this.count++;
    trace(`get ${describe(query)}`);
    try {
      engine.core.serve.get(query, asked, () => asked.finish());
    } catch (error) {
      const code = error instanceof HeadraceError ? error.code : String(error);
      if (code !== expected) this.#world.fail(`get ${describe(query)} is refused as ${code}, expected ${expected}`);
      return;
    }
    if (expected !== null) this.#world.fail(`get ${describe(query)} is taken, expected ${expected}`);
    asked.inCall = false;
    if (!asked.done) this.#open.push(asked);
  }
}

function refusalOf(world: World, { view, asOf, position, minPosition }: Query): string | null {
  const { clock } = world.engine.core;
  const head = published(world);
  if (position !== null && position > head) return 'unknown_position';
  if (position !== null && position < minPosition) return 'bad_request';
  return asOf !== null && asOf < clock.now() - view.history ? 'as_of_out_of_history' : null;
}
