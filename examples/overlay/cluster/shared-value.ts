import { setTimeout as sleep } from 'node:timers/promises';
import { conflict } from '@cleat/sdk';
import type { Etcd } from '../etcd/etcd.js';

/** Others change it at the same time, but never for long. */
const maxTries = 20;
/** For how much longer a try may wait than the one before it, in ms. */
const spreadMs = 5;

/** A value of etcd that hosts change in turns: it is read, changed, and written if it is still what was read. */
export class SharedValue<T> {
  readonly #etcd: Etcd;
  readonly #key: string;
  readonly #empty: () => T;

  constructor(etcd: Etcd, key: string, empty: () => T) {
    this.#etcd = etcd;
    this.#key = key;
    this.#empty = empty;
  }

  async read(): Promise<T> {
    return (await this.#read()).value;
  }

  /**
   * @param change changes what it is given; it is called again where somebody else was quicker, and may throw
   * @returns what `change` returned, once it is written
   * @throws Conflict when others are always quicker; Unavailable
   */
  async change<R>(change: (value: T) => R): Promise<R> {
    for (let tries = 0; tries < maxTries; tries++) {
      const { value, revision } = await this.#read();
      const before = JSON.stringify(value);
      const result = change(value);
      const after = JSON.stringify(value);
      if (after === before) return result;
      const put = { put: this.#key, value: after };
      if (await this.#etcd.commit([{ key: this.#key, revision }], [put])) return result;
      // Many hosts may come at once, as after a power cut: they get out of step.
      await sleep(Math.random() * tries * spreadMs);
    }
    throw conflict(`${this.#key} in etcd is changed by others all the time: try again`);
  }

  async #read(): Promise<{ value: T; revision: string }> {
    const entry = await this.#etcd.get(this.#key);
    if (!entry) return { value: this.#empty(), revision: '0' };
    return { value: JSON.parse(entry.value) as T, revision: entry.revision };
  }
}
