import type { View } from '../registry/view.ts';

/**
 * A short text for each (view, version, definition hash), unique and free of prefixes of one another, so that
 * tag + entity id is a key that no other definition shares.
 */
export class ViewTags {
  readonly #byView = new WeakMap<View, string>();
  readonly #byName = new Map<string, string>();

  of(view: View): string {
    return this.#byView.get(view) ?? this.#make(view);
  }

  #make(view: View): string {
    const name = JSON.stringify([view.name, view.version, view.hash]);
    let tag = this.#byName.get(name);
    if (tag === undefined) {
      tag = `${this.#byName.size.toString(36)}:`;
      this.#byName.set(name, tag);
    }
    this.#byView.set(view, tag);
    return tag;
  }
}
