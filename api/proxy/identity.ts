import { isBefore, maxApiVersion, versionNumber } from '../http/version.js';

/** Headers by which an engine says what it is, on each of its answers. */
const names = ['Api-Version', 'Docker-Experimental', 'Ostype', 'Server'];

/**
 * The upstream's own words about itself, for the answers that the proxy gives in its place. Its version is told only up to
 * the newest that is understood here: what could not be decoded could not be judged.
 */
export class Identity {
  #known: Readonly<Record<string, string>> = {};

  get headers(): Readonly<Record<string, string>> {
    return this.#known;
  }

  /** Learns from an answer. @returns its headers as clients are to see them */
  adapt(pairs: readonly (readonly [name: string, value: string])[]): (readonly [name: string, value: string])[] {
    const adapted = pairs.map(([name, value]): readonly [string, string] =>
      name.toLowerCase() === 'api-version' && versionNumber(value) !== undefined && isBefore(maxApiVersion, value)
        ? [name, maxApiVersion]
        : [name, value],
    );
    const said = names.flatMap((name) => {
      const found = adapted.find(([one]) => one.toLowerCase() === name.toLowerCase());
      return found ? [[name, found[1]]] : [];
    });
    if (said.length > 0) this.#known = Object.fromEntries(said);
    return adapted;
  }
}
