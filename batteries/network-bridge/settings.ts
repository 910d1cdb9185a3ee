import { readSysctl, writeSysctl } from '@cleat/linux/net/facts';
import { SettingChanges } from '@cleat/linux/net/setting-changes';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { insisting, longestMs, Patience } from './patience.js';

/** Sysctls of the network that are on because of us, and stay so. They are named as below `/proc/sys/net`. */
export class KernelSettings {
  readonly #log: Logger;
  readonly #on = new Set<string>();
  /** Those of interfaces that the kernel tells when they change, and were off at the last look. */
  readonly #suspects = new Set<string>();
  readonly #changes = new SettingChanges();
  readonly #patience = new Patience(longestMs.rules);

  constructor(log: Logger) {
    this.#log = log;
  }

  /** For good, or as long as its bridge is there. */
  switchOn(key: string): void {
    if (this.set(key, '1')) this.keep(key);
    else this.leave(key);
  }

  /** The same, unless there is no such setting: the bridge is gone, or the host is without IPv6. */
  switchOnIfThere(key: string): void {
    if (readSysctl(key) !== undefined) this.switchOn(key);
  }

  /** Sets a sysctl; where /proc/sys is read-only the operator has to, and is told so. @returns whether it is set */
  set(key: string, value: string): boolean {
    try {
      writeSysctl(key, value);
      return true;
    } catch (error) {
      this.#log.warn(`net/${key} could not be set to ${value}: set it yourself, or some connections will fail`, {
        error: messageOf(error),
      });
      return false;
    }
  }

  /** It is on, and is switched on again when somebody switches it off. */
  keep(key: string): void {
    this.#on.add(key);
  }

  leave(key: string): void {
    this.#on.delete(key);
    this.#suspects.delete(key);
  }

  /** None is kept any longer. */
  clear(): void {
    this.#on.clear();
    this.#suspects.clear();
  }

  /** A file of settings that is loaded anew (`sysctl --system`) may well have them off. @throws System */
  look(): void {
    if (this.#on.size === 0) return;
    const changed = this.#changes.take();
    for (const key of this.#on) if (changed || !isTold(key) || this.#suspects.has(key)) this.#lookAt(key);
  }

  close(): void {
    this.#changes.close();
  }

  #lookAt(key: string): void {
    this.#suspects.delete(key);
    const value = readSysctl(key);
    // With the bridge, its settings are gone.
    if (value === undefined) this.leave(key);
    if (value !== '0') return;
    this.#suspects.add(key);
    if (!this.#patience.isDue(key)) return;
    const pauseMs = this.#patience.spend(key);
    this.switchOn(key);
    if (!this.#on.has(key)) return;
    this.#log.warn(`net/${key} had been switched off by somebody else, and was switched on again`, insisting(pauseMs));
  }
}

/** Whether the kernel tells when it changes: then its file is not read at every look, of which there may be one a bridge. */
const isTold = (key: string): boolean => /^ipv[46]\/conf\/(?!all\/).*\/forwarding$/.test(key);
