import { rulesetGeneration } from '../syscall/netfilter.js';

/**
 * Tells changes that others make to the rules of this host from those that we make, by the kernel's number of
 * transactions. A look costs one netlink message.
 */
export class ForeignChanges {
  #generation = readGeneration();
  #count = 0;

  /** Grows when somebody else may have changed rules; undefined where the kernel does not tell. */
  count(): number | undefined {
    const generation = readGeneration();
    if (generation === undefined) return undefined;
    if (generation !== this.#generation) this.#count += 1;
    this.#generation = generation;
    return this.#count;
  }

  /** Runs work that makes one transaction. Where there were more of them meanwhile, others had a hand in it. */
  async own<T>(work: () => Promise<T>): Promise<T> {
    this.count();
    const before = this.#generation;
    const result = await work();
    if (before !== undefined && this.#generation === before && readGeneration() === before + 1) {
      this.#generation = before + 1;
    }
    return result;
  }
}

/** Undefined: a kernel without nf_tables. The caller who makes rules there gets an error. */
function readGeneration(): number | undefined {
  try {
    return rulesetGeneration();
  } catch {
    return undefined;
  }
}
