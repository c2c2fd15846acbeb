import type { Micros } from '../clock.ts';
import type { Logger } from '../fleet/logger.ts';
import { isDeprecated } from '../registry/resolve.ts';
import type { Registry, View } from '../registry/view.ts';

const DAY = 86_400e6;
/** Pause between two warnings in the log about one version, in microseconds. */
const PAUSE = 3600e6;

/** Which view versions callers are warned of, by the wall clock: a date of the calendar, not of the events. */
export class Deprecations {
  readonly #wallMicros: () => Micros;
  readonly #logger: Logger;
  readonly #warned = new WeakMap<View, Micros>();
  #day = Number.NaN;
  #today = '';
  #registry: Registry | undefined;
  #any = false;

  constructor(wallMicros: () => Micros, logger: Logger) {
    this.#wallMicros = wallMicros;
    this.#logger = logger;
  }

  /** ISO date, UTC; some date where the registry deprecates nothing, for then it decides nothing. */
  today(registry: Registry): string {
    if (!this.#deprecates(registry)) return this.#today;
    return this.#date();
  }

  #deprecates(registry: Registry): boolean {
    if (registry !== this.#registry) {
      this.#registry = registry;
      this.#any = [...registry.views.values()].flat().some((view) => view.deprecated !== null);
    }
    return this.#any;
  }

  #date(): string {
    const day = Math.floor(this.#wallMicros() / DAY);
    if (day !== this.#day) {
      this.#day = day;
      this.#today = new Date(day * 86_400_000).toISOString().slice(0, 10);
    }
    return this.#today;
  }

  /**
   * A version is asked for: says so in the log, once in a while, where it is deprecated.
   * @returns the date from which it is, if that has come
   */
  asked(view: View): string | undefined {
    if (view.deprecated === null || !isDeprecated(view, this.#date())) return undefined;
    const now = this.#wallMicros();
    const last = this.#warned.get(view);
    if (last === undefined || now - last >= PAUSE) {
      this.#warned.set(view, now);
      const { name, version, deprecated } = view;
      this.#logger.warn({ view: name, version, deprecated }, 'a deprecated version is asked for');
    }
    return view.deprecated;
  }
}
