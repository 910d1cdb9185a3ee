import { closeSync } from 'node:fs';
import { openSettingMessages, takeMessages } from '../syscall/route-links.js';

/**
 * Tells whether the sysctl `forwarding` of any interface of this process's namespace has changed. A look is one system
 * call while none has.
 */
export class SettingChanges {
  #fd: number | undefined;

  /** @returns whether one may have changed since the last look, as at the first. @throws CleatError System */
  take(): boolean {
    if (this.#fd !== undefined) return takeMessages(this.#fd);
    this.#fd = openSettingMessages();
    return true;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
