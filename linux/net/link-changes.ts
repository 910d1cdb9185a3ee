import { closeSync } from 'node:fs';
import { changedLinks, type LinkChange, openLinkMessages } from '../syscall/route-links.js';

export type { LinkChange };

/**
 * Tells which interfaces of this process's namespace have changed: set up or down, put on a bridge or taken off it, made,
 * renamed or removed. A look is one system call while none has.
 */
export class LinkChanges {
  #fd: number | undefined;
  #hasLooked = false;

  /** Changes are noted from now on, at the latest from the first look on. @throws CleatError System */
  listen(): void {
    this.#fd ??= openLinkMessages();
  }

  /**
   * @returns the changes since the last look, in their order; undefined: any interface may have changed, as at the first
   * look
   * @throws CleatError System
   */
  take(): readonly LinkChange[] | undefined {
    this.#fd ??= openLinkMessages();
    if (this.#hasLooked) return changedLinks(this.#fd);
    this.#hasLooked = true;
    return undefined;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
