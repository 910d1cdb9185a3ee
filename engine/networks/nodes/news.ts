import type { ExtensionStatus, Extensions } from '@cleat/extensions/service';
import { Backoff } from '@cleat/protocol/async/backoff';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { type NodeDiscoveryData, networkKind, nodeDiscovery } from '@cleat/protocol/kinds/network';
import type { Logger } from '@cleat/protocol/log';
import type { Drivers } from '../drivers.js';

export interface NodeNewsDeps {
  readonly extensions: Pick<Extensions, 'onChange'>;
  readonly drivers: Pick<Drivers, 'network' | 'networkCapabilities'>;
  readonly log: Logger;
  /** This host's own address. */
  readonly self: string;
}

/** The news that one driver has heard since it came. */
interface Told {
  readonly nodes: Set<string>;
  readonly backoff: Backoff;
  timer?: NodeJS.Timeout | undefined;
  underWay: boolean;
}

const pauses = { firstMs: 1_000, longestMs: 60_000 };

/**
 * Tells drivers that connect hosts which hosts there are: all of them when a driver comes, and what changes after that.
 * A driver that cannot be told now is told later.
 */
export class NodeNews {
  readonly #deps: NodeNewsDeps;
  /** Others than this host. */
  #others: readonly string[] = [];
  /** Those that are there, by their names. */
  readonly #told = new Map<string, Told>();
  readonly #stop: () => void;

  constructor(deps: NodeNewsDeps) {
    this.#deps = deps;
    this.#stop = deps.extensions.onChange((status) => this.#changed(status));
  }

  /** From now on these are the other hosts. */
  replace(others: readonly string[]): void {
    this.#others = others;
    for (const driver of this.#told.keys()) void this.#tell(driver);
  }

  close(): void {
    this.#stop();
    for (const driver of [...this.#told.keys()]) this.#forget(driver);
  }

  #changed({ name, kinds, state }: ExtensionStatus): void {
    // A process that was started again may remember nothing.
    this.#forget(name);
    if (state !== 'active' || !kinds.includes(networkKind.name)) return;
    this.#told.set(name, { nodes: new Set(), backoff: new Backoff(pauses), underWay: false });
    void this.#tell(name);
  }

  #forget(driver: string): void {
    clearTimeout(this.#told.get(driver)?.timer);
    this.#told.delete(driver);
  }

  /** Never fails. One at a time for each driver: what changes meanwhile is told in the same run. */
  async #tell(driver: string): Promise<void> {
    const told = this.#told.get(driver);
    if (!told || told.underWay) return;
    told.underWay = true;
    try {
      const { connects } = await this.#deps.drivers.networkCapabilities(driver);
      if (connects === 'global') await this.#catchUp(driver, told);
      told.backoff.reset();
    } catch (error) {
      const current = this.#told.get(driver) === told;
      if (!current || told.timer) return;
      this.#deps.log.warn('a driver was not told of a node; it is told later', { driver, error: messageOf(error) });
      const again = () => {
        told.timer = undefined;
        return this.#tell(driver);
      };
      told.timer = setTimeout(again, told.backoff.next()).unref();
    } finally {
      told.underWay = false;
    }
  }

  async #catchUp(driver: string, told: Told): Promise<void> {
    for (;;) {
      const next = this.#next(told.nodes);
      if (!next || this.#told.get(driver) !== told) return;
      const { method, address } = next;
      const Self = address === this.#deps.self;
      const DiscoveryData: NodeDiscoveryData = { Address: address, BindAddress: Self ? address : '', Self };
      const client = await this.#deps.drivers.network(driver, { impatient: true });
      await client[method]({ DiscoveryType: nodeDiscovery, DiscoveryData });
      if (method === 'DiscoverNew') told.nodes.add(address);
      else told.nodes.delete(address);
    }
  }

  /** This host is the first that a driver hears of, as under Docker. */
  #next(known: ReadonlySet<string>): { method: 'DiscoverNew' | 'DiscoverDelete'; address: string } | undefined {
    const all = new Set([this.#deps.self, ...this.#others]);
    for (const address of known) if (!all.has(address)) return { method: 'DiscoverDelete', address };
    for (const address of all) if (!known.has(address)) return { method: 'DiscoverNew', address };
    return undefined;
  }
}
