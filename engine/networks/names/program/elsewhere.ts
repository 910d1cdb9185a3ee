import type { NamedElsewhere } from '../messages.js';

/**
 * Endpoints of one network on other hosts. They are its driver's word, which is a plugin's: a name with dots is found
 * with the network's name behind it alone, so that no plugin answers for the names of the world.
 */
export class Elsewhere {
  /** By name, in lower case. */
  readonly #byName = new Map<string, Set<string>>();
  readonly #byAddress = new Map<string, string>();

  constructor(endpoints: readonly NamedElsewhere[]) {
    for (const { names, addresses } of endpoints) {
      for (const name of names) {
        const known = this.#byName.get(name.toLowerCase()) ?? new Set();
        for (const address of addresses) known.add(address);
        this.#byName.set(name.toLowerCase(), known);
      }
      const [first] = names;
      for (const address of addresses) if (first !== undefined) this.#byAddress.set(address, first);
    }
  }

  /** @param name in lower case @param qualified it was asked for with the network's name behind it */
  addressesOf(name: string, qualified: boolean): ReadonlySet<string> | undefined {
    if (!qualified && name.includes('.')) return undefined;
    return this.#byName.get(name);
  }

  nameOf(address: string): string | undefined {
    return this.#byAddress.get(address);
  }
}
