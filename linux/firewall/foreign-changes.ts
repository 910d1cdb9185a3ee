import { rulesetGeneration } from '../syscall/netfilter.js';

/**
 * Tells changes that others make to the rules of this host from those that we make, by the kernel's number of
 * transactions. A look costs one netlink message.
 */
export class ForeignChanges {
  readonly #read: () => number | undefined;
  #generation: number | undefined;
  #count = 0;

  /** @param read tells the kernel's number of transactions; undefined where it does not count them */
  constructor(read = readGeneration) {
    this.#read = read;
    this.#generation = read();
  }

  /** Grows when somebody else may have changed rules; undefined where the kernel does not tell. */
  count(): number | undefined {
    const generation = this.#read();
    if (generation === undefined) return undefined;
    if (generation !== this.#generation) this.#count += 1;
    this.#generation = generation;
    return this.#count;
  }

  /**
   * Runs work of ours. Where there was another number of transactions meanwhile than it made, others had a hand in it.
   * @param work resolves to how many it certainly made; undefined where it cannot tell
   */
  async own(work: () => Promise<number | undefined>): Promise<void> {
    this.count();
    const before = this.#generation;
    const made = await work();
    if (before === undefined || made === undefined || this.#generation !== before) return;
    if (this.#read() === before + made) this.#generation = before + made;
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
