/**
 * Shares a limited number of things among owners. Where all are out, the owner of the most gives its oldest back to one
 * who has fewer: so nobody keeps the others from theirs.
 */
export class FairShare {
  readonly #total: number;
  readonly #each: number;
  /** By owner: how to take back what it holds, oldest first. */
  readonly #held = new Map<string, Set<() => void>>();
  #count = 0;

  constructor(limits: { total: number; each: number }) {
    this.#total = limits.total;
    this.#each = limits.each;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * @param onTaken called when it is taken back; it is no longer held by then
   * @returns the way to give it back, which may be used twice; undefined when there is none for this owner
   */
  take(owner: string, onTaken: () => void): (() => void) | undefined {
    const own = this.#held.get(owner)?.size ?? 0;
    if (own >= this.#each) return undefined;
    if (this.#count >= this.#total && !this.#takeBack(own)) return undefined;
    const held = this.#held.get(owner) ?? new Set();
    this.#held.set(owner, held);
    const release = () => {
      if (!held.delete(taken)) return;
      this.#count--;
      if (held.size === 0 && this.#held.get(owner) === held) this.#held.delete(owner);
    };
    const taken = () => {
      release();
      onTaken();
    };
    held.add(taken);
    this.#count++;
    return release;
  }

  /** @param own how many the one has who wants another */
  #takeBack(own: number): boolean {
    let greediest: Set<() => void> | undefined;
    for (const held of this.#held.values()) if (held.size > (greediest?.size ?? 0)) greediest = held;
    if (!greediest || greediest.size <= own + 1) return false;
    const [oldest] = greediest;
    oldest?.();
    return true;
  }
}
