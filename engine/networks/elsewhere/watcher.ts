import { setTimeout as sleep } from 'node:timers/promises';
import type { Extensions } from '@cleat/extensions/service';
import { Backoff } from '@cleat/protocol/async/backoff';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { namesElsewhereLimits, networkKind } from '@cleat/protocol/kinds/network';
import type { Logger } from '@cleat/protocol/log';
import { Answer } from '../answers.js';
import type { Drivers } from '../drivers.js';
import type { NamedElsewhere } from '../names/messages.js';
import { lastLines, Silence } from './lines.js';
import { readNames } from './read.js';

export interface WatcherSettings {
  readonly network: { readonly id: string; readonly name: string; readonly driver: string };
  /** CIDRs */
  readonly pools: readonly string[];
  readonly drivers: Pick<Drivers, 'network' | 'networkCapabilities'>;
  readonly extensions: Pick<Extensions, 'arrival'>;
  readonly log: Logger;
  /** Tells the driver names that it does not know yet. */
  tell(): Promise<void>;
  /** @throws Error when they do not fit beside those of other networks */
  heard(endpoints: NamedElsewhere[]): void;
  /** The driver shares no names, after all. */
  notShared(): void;
}

const times = {
  pauses: { firstMs: 500, longestMs: 30_000 },
  /** Between two lines: a driver that says a lot is read this often, and held up meanwhile. */
  gapMs: 100,
  /** After that the driver is asked again: it may hang, or its host may be gone. */
  silenceMs: 60_000,
};

/**
 * Follows the names of one network's endpoints on other hosts, as long as the network is there. The last known ones hold
 * whatever becomes of the driver.
 */
export class NameWatcher {
  readonly #settings: WatcherSettings;
  readonly #times: typeof times;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #turn = new AbortController();
  #complaint = '';

  constructor(settings: WatcherSettings, waits = times) {
    this.#settings = settings;
    this.#times = waits;
    this.#backoff = new Backoff(waits.pauses);
    void this.#run();
  }

  /** Begins anew: there is something to tell, or the driver is back. */
  renew(): void {
    this.#backoff.reset();
    this.#turn.abort();
  }

  close(): void {
    this.#stop.abort();
    this.#turn.abort();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const turn = new AbortController();
      this.#turn = turn;
      try {
        await this.#follow(turn.signal);
      } catch (error) {
        if (turn.signal.aborted || error instanceof Silence) continue;
        this.#complain(messageOf(error));
        await sleep(this.#backoff.next(), undefined, { signal: turn.signal, ref: false }).catch(() => {}); // Renewed.
      }
    }
  }

  /** Ends by an error alone. */
  async #follow(signal: AbortSignal): Promise<never> {
    const { network, pools, drivers, extensions, tell, heard, notShared } = this.#settings;
    const by = `the names of network ${network.name}`;
    const onReason = (reason: string) => this.#complain(reason);
    await extensions.arrival(networkKind.name, network.driver, { signal, by, onReason });
    const client = await drivers.network(network.driver, { signal, impatient: true });
    const { sharesNames } = await drivers.networkCapabilities(network.driver);
    if (!sharesNames) {
      notShared();
      throw unavailable('it shares no names');
    }
    await tell();
    const options = { signal, impatient: true };
    const stream: AsyncIterable<Uint8Array> | undefined = await client.WatchNames({ NetworkID: network.id }, options);
    const said = new Answer(network.driver, 'NetworkDriver.WatchNames');
    if (!stream) throw said.wrong('a refusal, although it says SharesNames');
    const limits = { longest: namesElsewhereLimits.line, silenceMs: this.#times.silenceMs };
    for await (const line of lastLines(stream, limits)) {
      const { endpoints, complaint } = readNames(said, line, pools);
      heard(endpoints);
      this.#backoff.reset();
      if (complaint === undefined) this.#complaint = '';
      else this.#complain(`it tells ${complaint}, which is left out`);
      await sleep(this.#times.gapMs, undefined, { signal, ref: false });
    }
    throw said.wrong('a stream that ended');
  }

  /** The same thing once. */
  #complain(error: string): void {
    if (error === this.#complaint || this.#stop.signal.aborted) return;
    this.#complaint = error;
    const { network, log } = this.#settings;
    const about = { network: network.name, driver: network.driver, error };
    log.warn('names of containers on other hosts are those that were known last', about);
  }
}
