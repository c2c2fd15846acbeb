import type { View } from '../registry/view.ts';

const FIRST_CODES = 1024;

/** Positions by entity code, of one source and one of its keys. */
class Track {
  positions: Float64Array = new Float64Array(FIRST_CODES);

  touch(codes: Int32Array, position: number): void {
    let positions = this.positions;
    for (const code of codes) {
      if (code < 0) continue;
      if (code >= positions.length) positions = this.#grow(code);
      positions[code] = position;
    }
  }

  #grow(code: number): Float64Array {
    const grown = new Float64Array(Math.max(code + 1, this.positions.length * 2));
    grown.set(this.positions);
    this.positions = grown;
    return grown;
  }
}

/**
 * Per (source, entity) and code the position of the last commit that touched it: what makes a row dirty. Late events
 * change no value and so touch nothing. Empty after a start, like the cache.
 */
export class Touched {
  readonly #tracks = new Map<string, Track>();
  readonly #ofView = new WeakMap<View, Track[]>();

  /** @param codes those of the commit's events that are not late; negative ones are passed over */
  touch(source: string, entity: string, codes: Int32Array, position: number): void {
    this.#track(source, entity).touch(codes, position);
  }

  /** The position of the last commit that touched this entity in any source of the view; 0 where none did. */
  lastTouch(view: View, code: number): number {
    if (code < 0) return 0;
    const tracks = this.#ofView.get(view) ?? this.#tracksOf(view);
    let last = 0;
    for (const track of tracks) {
      const position = code < track.positions.length ? track.positions[code]! : 0;
      if (position > last) last = position;
    }
    return last;
  }

  #tracksOf(view: View): Track[] {
    const tracks = view.plan.sources.map((source) => this.#track(source.name, view.plan.entity));
    this.#ofView.set(view, tracks);
    return tracks;
  }

  #track(source: string, entity: string): Track {
    const key = JSON.stringify([source, entity]);
    let track = this.#tracks.get(key);
    if (track === undefined) {
      track = new Track();
      this.#tracks.set(key, track);
    }
    return track;
  }
}
