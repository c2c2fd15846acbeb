/** Rows a chunk holds: at 26 numbers a row 53 kB, small enough to give back, large enough to cost nothing a row. */
export const CHUNK_ROWS = 256;

/** Who has a place in a slab; the slab moves it when it packs. */
export interface Tenant {
  slab: Float64Array;
  /** Index of its first number in `slab`. */
  base: number;
  chunk: Chunk;
}

export interface Chunk {
  numbers: Float64Array;
  /** By row; null where it is free. */
  tenants: (Tenant | null)[];
  free: number[];
}

/**
 * Rows of one width in chunks of Float64 numbers: freed rows are used again, empty chunks are given back, and
 * {@link pack} moves rows together where many are free.
 */
export class Slab {
  readonly width: number;
  readonly #chunks = new Set<Chunk>();
  /** Chunks with a free row. */
  readonly #open = new Set<Chunk>();
  #rows = 0;

  /** @param width numbers a row */
  constructor(width: number) {
    this.width = width;
  }

  /** Bytes held, free rows included. */
  get bytes(): number {
    return this.#chunks.size * CHUNK_ROWS * this.width * 8;
  }

  /** Gives a place to the tenant; what stands there is left over from another. */
  settle(tenant: Tenant): void {
    const chunk = this.#open.values().next().value ?? this.#add();
    this.#seat(tenant, chunk);
    this.#rows++;
  }

  /** Takes back the tenant's place. The numbers stay readable until the next {@link settle}. */
  leave(tenant: Tenant): void {
    this.#vacate(tenant.chunk, tenant.base / this.width);
    this.#rows--;
  }

  /**
   * Moves rows out of the emptiest chunks while a chunk can be spared by it.
   * @param movesMax rows to move in this call
   * @returns whether more could be done
   */
  pack(movesMax: number): boolean {
    let moves = 0;
    while (this.#chunks.size > Math.ceil(this.#rows / CHUNK_ROWS)) {
      const source = emptiest(this.#open);
      this.#open.delete(source);
      for (const tenant of source.tenants) {
        if (tenant === null) continue;
        if (moves === movesMax) {
          this.#open.add(source);
          return true;
        }
        this.#move(tenant, source);
        moves++;
      }
    }
    return false;
  }

  #move(tenant: Tenant, source: Chunk): void {
    const { base } = tenant;
    this.#seat(tenant, this.#open.values().next().value!);
    tenant.slab.set(source.numbers.subarray(base, base + this.width), tenant.base);
    this.#vacate(source, base / this.width, false);
  }

  #seat(tenant: Tenant, chunk: Chunk): void {
    const row = chunk.free.pop()!;
    if (chunk.free.length === 0) this.#open.delete(chunk);
    chunk.tenants[row] = tenant;
    tenant.chunk = chunk;
    tenant.slab = chunk.numbers;
    tenant.base = row * this.width;
  }

  #vacate(chunk: Chunk, row: number, reusable = true): void {
    chunk.tenants[row] = null;
    chunk.free.push(row);
    if (chunk.free.length === CHUNK_ROWS) {
      this.#open.delete(chunk);
      this.#chunks.delete(chunk);
    } else if (reusable) {
      this.#open.add(chunk);
    }
  }

  #add(): Chunk {
    const chunk: Chunk = {
      numbers: new Float64Array(CHUNK_ROWS * this.width),
      tenants: new Array<Tenant | null>(CHUNK_ROWS).fill(null),
      // The last is taken first: rows fill from the front.
      free: Array.from({ length: CHUNK_ROWS }, (_, i) => CHUNK_ROWS - 1 - i),
    };
    this.#chunks.add(chunk);
    this.#open.add(chunk);
    return chunk;
  }
}

function emptiest(chunks: Iterable<Chunk>): Chunk {
  let best: Chunk | undefined;
  for (const chunk of chunks) if (best === undefined || chunk.free.length > best.free.length) best = chunk;
  return best!;
}
