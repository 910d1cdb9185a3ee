import { forgetUdpFlows } from '@cleat/linux/firewall/flows';
import type { PublishedPort } from '@cleat/linux/firewall/ruleset';
import { Turns } from '@cleat/protocol/async/turns';
import { messageOf } from '@cleat/protocol/errors';
import { netlabel, type PortBinding } from '@cleat/protocol/kinds/network';
import type { Logger } from '@cleat/protocol/log';
import type { DurableMap } from '@cleat/sdk';
import { familyOf, routedPorts } from './port-requests.js';
import type { HostPorts } from './ports.js';
import type { BridgeRules } from './rules.js';
import { type EndpointRecord, type Family, isBorrowed, type NetworkRecord } from './state.js';

const families: readonly Family[] = ['ipv4', 'ipv6'];

interface Parts {
  readonly endpoints: DurableMap<EndpointRecord>;
  readonly rules: BridgeRules;
  readonly ports: HostPorts;
  readonly log: Logger;
  /** Makes all rules anew. */
  readonly restoreRules: () => Promise<void>;
}

/** Opens and closes the published ports of endpoints, each family for itself. */
export class Publisher {
  readonly #parts: Parts;
  /** An engine that waits no longer asks again, perhaps while it is still being done. */
  readonly #turns = new Turns();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Ports of families for which the endpoint is the way out, and of routed ones in any case. Asked again with others, it
   * closes what is no longer to be, and leaves the rest as it is.
   * @throws Conflict for a port that somebody has
   */
  publish(id: string, network: NetworkRecord, options: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#turns.run(id, () => this.#publish(id, network, options));
  }

  /** @throws System with what nft said; asked again, it goes on */
  unpublish(id: string): Promise<void> {
    return this.#turns.run(id, () => this.#unpublish(id));
  }

  async #publish(id: string, network: NetworkRecord, options: Readonly<Record<string, unknown>>): Promise<void> {
    const requested = options[netlabel.portMap];
    const bindings = Array.isArray(requested) ? (requested as PortBinding[]) : [];
    const { rules } = this.#parts;
    const before = this.#parts.endpoints.get(id);
    if (!before || bindings.length === 0 || network.internal) return;
    // On somebody else's bridge a container is reached at its own address, and nothing of the host's leads there.
    const wanted = isBorrowed(network) ? [] : wantedFamilies(options);
    // An engine of before said nothing of families.
    const had = before.gatewayFor ?? (before.ports.length > 0 ? families : undefined);
    const kept = await this.#close(before, wanted);
    const missing = wanted.filter((family) => !had?.includes(family) && network.modes?.[family] !== 'routed');
    const to = { ...kept, hostIp: network.hostIp };
    // In the order in which Docker shows them.
    const added = [
      ...(await this.#parts.ports.allocate(bindings, to, missing)),
      ...(had === undefined ? routedPorts(bindings, to, network) : []),
    ];
    // On record first: if the whole table is made anew meanwhile, these ports must be in it.
    this.#parts.endpoints.set(id, { ...kept, gatewayFor: wanted, ports: [...kept.ports, ...added] });
    try {
      await rules.firewall?.publish(rules.forFirewall(network.id, added));
      this.#forgetFlows(added);
      rules.routeLocal([network]);
    } catch (error) {
      this.#parts.endpoints.set(id, kept);
      await this.#parts.ports.release(added);
      throw error;
    }
  }

  async #unpublish(id: string): Promise<void> {
    const endpoint = this.#parts.endpoints.get(id);
    if (!endpoint) return;
    const { gatewayFor: _, ...rest } = endpoint;
    if (endpoint.ports.length > 0 || endpoint.gatewayFor) await this.#replace({ ...rest, ports: [] }, endpoint.ports);
  }

  /** Closes ports of families that are no longer wanted. @returns what is left of the endpoint */
  async #close(endpoint: EndpointRecord, wanted: readonly Family[]): Promise<EndpointRecord> {
    const isOver = (port: PublishedPort) => port.hostPort > 0 && !wanted.includes(familyOf(port.hostIp));
    const over = endpoint.ports.filter(isOver);
    if (over.length === 0) return endpoint;
    const gatewayFor = (endpoint.gatewayFor ?? families).filter((family) => wanted.includes(family));
    const kept = { ...endpoint, gatewayFor, ports: endpoint.ports.filter((port) => !isOver(port)) };
    await this.#replace(kept, over);
    return kept;
  }

  async #replace(endpoint: EndpointRecord, over: readonly PublishedPort[]): Promise<void> {
    const { endpoints, rules, ports, restoreRules } = this.#parts;
    const before = endpoints.get(endpoint.id);
    endpoints.set(endpoint.id, endpoint);
    try {
      await rules.firewall?.unpublish(rules.forFirewall(endpoint.networkId, over));
    } catch {
      // Somebody changed our table: make all of it anew.
      await restoreRules().catch((error: unknown) => {
        // The rules may still be there, and so nobody else may have these ports.
        if (before) endpoints.set(endpoint.id, before);
        throw error;
      });
    }
    this.#forgetFlows(over);
    await ports.release(over);
  }

  #forgetFlows(ports: readonly PublishedPort[]): void {
    try {
      forgetUdpFlows(ports);
    } catch (error) {
      const said = { error: messageOf(error) };
      this.#parts.log.warn('UDP clients that never pause may not reach a published port', said);
    }
  }
}

/** All, for an engine that does not say. */
function wantedFamilies(options: Readonly<Record<string, unknown>>): Family[] {
  const said = options[netlabel.gatewayFor];
  return Array.isArray(said) ? families.filter((family) => said.includes(family)) : [...families];
}
