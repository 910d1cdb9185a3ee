import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { interfaceNames } from '@cleat/linux/net/facts';
import { conflict, notFound } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import { netlabel, type networkKind, type PortBinding } from '@cleat/protocol/kinds/network';
import { nameLines } from '@cleat/sdk/networks';

export type NetworkHandlers = Handlers<typeof networkKind>;

export interface State {
  /** Subnets, by network. */
  networks: Record<string, string>;
  /** Networks, by endpoint. */
  endpoints: Record<string, string>;
  /** Subnets that are reserved, by network. */
  allocations?: Record<string, string>;
  /** Published ports, by endpoint. */
  ports?: Record<string, PortBinding[]>;
}

/**
 * A network plugin that does everything right, with little: a network is an entry in a file, and a container gets one
 * end of a veth pair, whose other end stays here and leads nowhere.
 */
export class HealthyNetworks implements NetworkHandlers {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get state(): State {
    const file = join(this.root, 'state.json');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { networks: {}, endpoints: {} };
  }

  set state(state: State) {
    writeFileSync(join(this.root, 'state.new'), JSON.stringify(state));
    renameSync(join(this.root, 'state.new'), join(this.root, 'state.json'));
  }

  /** Only the names of this plugin's interfaces begin with it. */
  get prefix(): string {
    return `v${this.root.slice(-6)}`;
  }

  get links(): string[] {
    return [...interfaceNames()].filter((name) => name.startsWith(this.prefix));
  }

  outside = (endpoint: string): string => `${this.prefix}${endpoint.slice(0, 7)}`;
  inside = (endpoint: string): string => `${this.outside(endpoint)}i`;

  /** One call of `ip`, which ends before anybody else's turn. */
  ip(...args: string[]): void {
    execFileSync('ip', args, { stdio: 'ignore' });
  }

  pair(outside: string, inside: string, ...where: string[]): void {
    this.ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, ...where);
  }

  unlink(name: string): void {
    if (!interfaceNames().has(name)) return;
    try {
      this.ip('link', 'delete', name);
    } catch (error) {
      // It may go in this moment, with the namespace that its other end is in.
      if (interfaceNames().has(name)) throw error;
    }
  }

  network(id: string): string {
    const subnet = this.state.networks[id];
    if (subnet === undefined) throw notFound(`there is no network ${id}`);
    return subnet;
  }

  endpoint(id: string): string {
    const network = this.state.endpoints[id];
    if (network === undefined) throw notFound(`there is no endpoint ${id}`);
    return network;
  }

  forgetEndpoint(id: string): void {
    const { [id]: _gone, ...endpoints } = this.state.endpoints;
    this.state = { ...this.state, endpoints };
    this.setPorts(id, []);
  }

  setPorts(endpoint: string, open: PortBinding[]): void {
    const { [endpoint]: _former, ...ports } = this.state.ports ?? {};
    this.state = { ...this.state, ports: open.length > 0 ? { ...ports, [endpoint]: open } : ports };
  }

  GetCapabilities: NetworkHandlers['GetCapabilities'] = () => ({
    Scope: 'local',
    ConnectivityScope: 'local',
    JoinsInSandbox: true,
    AllocatesNetworks: true,
    KnowsEndpointNames: true,
    SharesNames: true,
    GwAllocChecker: true,
    ServesPublishedPorts: true,
    PublishesPerFamily: true,
    OpensLinks: true,
  });

  GwAllocCheck: Required<NetworkHandlers>['GwAllocCheck'] = () => ({ SkipIPv4: false, SkipIPv6: false });

  AllocateNetwork: Required<NetworkHandlers>['AllocateNetwork'] = ({ NetworkID, IPv4Data }) => {
    const { allocations = {} } = this.state;
    const subnet = IPv4Data[0]?.Pool ?? '';
    const other = Object.keys(allocations).find((id) => id !== NetworkID && allocations[id] === subnet);
    if (other !== undefined) throw conflict(`subnet ${subnet} is reserved for network ${other}`);
    this.state = { ...this.state, allocations: { ...allocations, [NetworkID]: subnet } };
    return { Options: { segment: NetworkID.slice(0, 6) } };
  };

  FreeNetwork: Required<NetworkHandlers>['FreeNetwork'] = ({ NetworkID }) => {
    const { [NetworkID]: _free, ...allocations } = this.state.allocations ?? {};
    this.state = { ...this.state, allocations };
  };

  CreateNetwork: NetworkHandlers['CreateNetwork'] = ({ NetworkID, IPv4Data }) => {
    const { networks } = this.state;
    const subnet = IPv4Data[0]?.Pool ?? '';
    const other = Object.keys(networks).find((id) => id !== NetworkID && networks[id] === subnet);
    if (other !== undefined) throw conflict(`subnet ${subnet} is that of network ${other}`);
    this.state = { ...this.state, networks: { ...networks, [NetworkID]: subnet } };
  };

  DeleteNetwork: NetworkHandlers['DeleteNetwork'] = ({ NetworkID }) => {
    this.network(NetworkID);
    if (Object.values(this.state.endpoints).includes(NetworkID)) throw conflict(`network ${NetworkID} has endpoints`);
    const { [NetworkID]: _gone, ...networks } = this.state.networks;
    this.state = { ...this.state, networks };
  };

  CreateEndpoint: NetworkHandlers['CreateEndpoint'] = ({ NetworkID, EndpointID, Interface }) => {
    this.network(NetworkID);
    this.state = { ...this.state, endpoints: { ...this.state.endpoints, [EndpointID]: NetworkID } };
    if (Interface?.MacAddress) return {};
    const bytes = EndpointID.slice(0, 8).match(/../g) ?? [];
    return { Interface: { MacAddress: ['02', '42', ...bytes].join(':') } };
  };

  DeleteEndpoint: NetworkHandlers['DeleteEndpoint'] = ({ EndpointID }) => {
    this.unlink(this.outside(EndpointID));
    this.forgetEndpoint(EndpointID);
  };

  EndpointOperInfo: NetworkHandlers['EndpointOperInfo'] = ({ EndpointID }) => {
    this.endpoint(EndpointID);
    return { Value: { [netlabel.portMap]: this.state.ports?.[EndpointID] ?? [] } };
  };

  Join: NetworkHandlers['Join'] = ({ EndpointID, Options }) => {
    this.endpoint(EndpointID);
    const pid = Number(Options?.[netlabel.sandboxPid] ?? 0);
    // The call may be a repetition, because nobody heard the first answer.
    this.unlink(this.outside(EndpointID));
    this.pair(this.outside(EndpointID), this.inside(EndpointID), ...(pid > 0 ? ['netns', `${pid}`] : []));
    return { InterfaceName: { SrcName: this.inside(EndpointID), DstPrefix: 'eth', InSandbox: pid > 0 } };
  };

  Leave: NetworkHandlers['Leave'] = ({ EndpointID }) => this.unlink(this.outside(EndpointID));

  DiscoverNew: NetworkHandlers['DiscoverNew'] = () => {};

  /** Nobody is on other hosts. */
  WatchNames = ({ NetworkID }: { NetworkID: string }, { signal }: { signal: AbortSignal }) => {
    this.network(NetworkID);
    return nameLines({ current: () => [], onChange: () => () => {} }, signal);
  };

  RenameEndpoint: Required<NetworkHandlers>['RenameEndpoint'] = ({ EndpointID }) => void this.endpoint(EndpointID);

  /** It opens none, and says that it did. */
  ProgramExternalConnectivity: Required<NetworkHandlers>['ProgramExternalConnectivity'] = ({ EndpointID, Options }) => {
    this.endpoint(EndpointID);
    const families = (Options?.[netlabel.gatewayFor] ?? ['ipv4', 'ipv6']) as string[];
    const wanted = (Options?.[netlabel.portMap] ?? []) as PortBinding[];
    const open = wanted.flatMap((port) =>
      families.map((family) => ({ ...port, HostIP: family === 'ipv4' ? '0.0.0.0' : '::', HostPort: 40_000 })),
    );
    this.setPorts(EndpointID, open);
  };

  RevokeExternalConnectivity: Required<NetworkHandlers>['RevokeExternalConnectivity'] = ({ EndpointID }) =>
    this.setPorts(EndpointID, []);

  OpenLinks: Required<NetworkHandlers>['OpenLinks'] = ({ EndpointID, Links }) => {
    for (const id of [EndpointID, ...Links.map((link) => link.EndpointID)]) this.endpoint(id);
  };
}
