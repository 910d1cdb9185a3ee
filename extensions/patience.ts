import type { Source } from './source.js';

/** After somebody waited in vain nobody else does for so long, in ms, unless something changed: it is only looked for. */
const memoryMs = 60_000;

/** How long one that is not there is worth waiting for: a dead extension costs one caller a wait, not each of them. */
export class Patience {
  #vain: { place: string | undefined; until: number } | undefined;

  /** In ms. */
  of(source: Source, wasActive: boolean): number {
    const vain = this.#vain;
    if (vain && Date.now() < vain.until && source.locate()?.id === vain.place) return 0;
    return source.patienceMs(wasActive);
  }

  waitedInVain(source: Source): void {
    this.#vain = { place: source.locate()?.id, until: Date.now() + memoryMs };
  }
}
