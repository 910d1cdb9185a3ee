import { closeSync } from 'node:fs';
import { changedLinks, openLinkMessages } from '../syscall/route-links.js';

/**
 * Tells which interfaces of this process's namespace have changed: set up or down, put on a bridge or taken off it, made
 * or removed. A look is one system call while none has.
 */
export class LinkChanges {
  #fd: number | undefined;

  /**
   * @returns names of the interfaces that have changed since the last look; undefined: any may have, as at the first look
   * @throws CleatError System
   */
  take(): ReadonlySet<string> | undefined {
    if (this.#fd !== undefined) return changedLinks(this.#fd);
    this.#fd = openLinkMessages();
    return undefined;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
