/** IDs that engines and plugins make anew each time: 32 hexadecimal digits and more, and UUIDs. */
const ids = /[0-9a-f]{32,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Which value of now takes the place of which recorded one. One for one, for the whole of a replay. */
export class Aliases {
  readonly #now = new Map<string, string>();
  readonly #recorded = new Map<string, string>();
  readonly #below: Aliases | undefined;

  /** @param below what holds already; {@link keep} adds to it what was learnt since */
  constructor(below?: Aliases) {
    this.#below = below;
  }

  /** Whether `now` can take the place of `recorded`, as far as is known; from here on it does. */
  pair(recorded: string, now: string): boolean {
    const known = this.nowOf(recorded);
    if (known !== undefined) return known === now;
    if (this.#recordedOf(now) !== undefined) return false;
    this.learn(recorded, now);
    return true;
  }

  /** Says so, whatever was said before. */
  learn(recorded: string, now: string): void {
    this.#now.set(recorded, now);
    this.#recorded.set(now, recorded);
  }

  /** The same for texts that have IDs in them, and are otherwise equal. */
  pairInside(recorded: string, now: string): boolean {
    if (recorded.replaceAll(ids, '') !== now.replaceAll(ids, '')) return false;
    const those = recorded.match(ids) ?? [];
    const these = now.match(ids) ?? [];
    return those.length === these.length && those.every((id, index) => this.pair(id, these[index] ?? ''));
  }

  /** A recorded text as it would be now: as a whole, or the IDs in it. */
  apply(recorded: string): string {
    return this.nowOf(recorded) ?? recorded.replaceAll(ids, (id) => this.nowOf(id) ?? id);
  }

  nowOf(recorded: string): string | undefined {
    return this.#now.get(recorded) ?? this.#below?.nowOf(recorded);
  }

  #recordedOf(now: string): string | undefined {
    return this.#recorded.get(now) ?? (this.#below === undefined ? undefined : this.#below.#recordedOf(now));
  }

  /** Keeps what was learnt on trial. */
  keep(): void {
    for (const [recorded, now] of this.#now) this.#below?.learn(recorded, now);
  }
}
