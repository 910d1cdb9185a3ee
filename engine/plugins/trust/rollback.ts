import { forbidden } from '@cleat/protocol/errors';
import type { Collection, Store } from '../../store/service.js';

interface Newest {
  v: 1;
  /** Seconds since 1970, as its publisher signed them. */
  signedAt: number;
}

/**
 * The newest signature that this host has installed by each name, with its tag. A registry that gives an older one under the
 * same name takes a plugin back to a version with known faults, and its signature is good. It is kept when the plugin is
 * removed: otherwise an installation anew would be the way back.
 */
export class SignatureTimes {
  readonly #newest: Collection<Newest>;

  constructor(store: Store) {
    this.#newest = store.collection('plugin-signatures');
  }

  /**
   * @param name canonical, with its tag
   * @param signedAt seconds since 1970; undefined: the publisher has not said
   * @throws Forbidden for what is older than what was here
   */
  check(name: string, signedAt: number | undefined): void {
    const newest = this.#newest.get(name)?.signedAt;
    if (newest === undefined || (signedAt !== undefined && signedAt >= newest)) return;
    const when = signedAt === undefined ? 'without a time' : `of ${shown(signedAt)}`;
    throw forbidden(
      `plugin ${name} is not trusted: its signature is one ${when}, but one of ${shown(newest)} was here: the registry went back to an older version. To take it all the same, name it by its digest`,
    );
  }

  /** It was installed. A publisher whose clock is ahead must not shut out what comes after it. */
  note(name: string, signedAt: number, now = Date.now()): void {
    const time = Math.min(signedAt, Math.floor(now / 1000));
    if (time > (this.#newest.get(name)?.signedAt ?? 0)) this.#newest.put(name, { v: 1, signedAt: time });
  }
}

const shown = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000', '');
