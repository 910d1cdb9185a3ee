import type { UserNamespace } from '@cleat/linux/process/user-namespace';
import type { HostConfig, PortMap } from '@cleat/protocol/api/container';
import type { EndpointSettings, NetworkCreateRequest, NetworkResource } from '@cleat/protocol/api/network';
import type { Filters } from '../events/service.js';
import type { ContainerId, NetworkId } from '../ids.js';
import type { LinkedContainer, RequestedEndpoint } from './record.js';

/** The API's half of networks; containers are connected and disconnected by their own room. */
export interface Networks {
  create(request: NetworkCreateRequest): Promise<{ Id: string; Warning: string }>;
  list(filters: Filters): Promise<NetworkResource[]>;
  /** By ID, name or ID prefix. @throws NotFound `network X not found`, InvalidParameter when ambiguous. */
  inspect(ref: string, options?: { verbose?: boolean; scope?: string }): Promise<NetworkResource>;
  /** @throws Forbidden for predefined ones and while endpoints are active. */
  remove(ref: string): Promise<void>;
  prune(filters: Filters): Promise<{ NetworksDeleted: string[] }>;
}

/**
 * The half of other rooms, for the networks of this host: sandboxes and endpoints. A sandbox is a network namespace per
 * container; a driver answers with interfaces and this room moves and configures them, as the remote driver protocol
 * says, also for the built-in bridge.
 */
export interface NetworkHost {
  /** By ID, name or ID prefix: the one way from what users write to an ID. @throws as `inspect` */
  resolve(ref: string): { id: NetworkId; name: string };

  /**
   * For create: what a container asks for, checked, with each network that is there by its name, and its ID inside. One
   * that is not there yet keeps what it was called by.
   * @throws as Docker's create does
   */
  requested(mode: string, endpoints: Record<string, EndpointSettings | null>): RequestedNetworks;

  /**
   * Makes a container's sandbox and starts to join its networks. `path` of the namespace is there when the promise
   * resolves, for the OCI spec; `ready` settles when all interfaces, routes, ports and names are set up, so that it
   * can run beside `runc create`. When `ready` rejects everything is rolled back already. Events: network connect.
   */
  attach(request: SandboxRequest): Promise<Sandbox>;

  /**
   * Takes the sandbox down: revoke ports, leave, delete endpoints, release addresses, events network disconnect; then
   * the namespace itself, which a caller need not wait for. Does everything it can and reports every failure.
   */
  detach(containerId: ContainerId): Promise<void>;

  /**
   * After a restart of the engine: the container runs still with what the store says; names and ports are re-served.
   */
  adopt(containerId: ContainerId): Promise<void>;
  /** After adopting all that runs: removes namespaces, endpoints, addresses, rules that nobody uses. */
  reconcile(runningContainerIds: ReadonlySet<ContainerId>): Promise<void>;

  /**
   * On a running container (`running`), or only remembered for its next start.
   * @returns what is to be remembered, by the network's name, in the container's list
   */
  connect(
    network: NetworkId,
    container: SandboxRequest & { running: boolean; pid: number },
    endpoint: EndpointSettings,
  ): Promise<RequestedEndpoint>;
  /** For a container that does not run; the network may be made later. @throws InvalidParameter as Docker does */
  connectLater(ref: string, container: SandboxRequest, endpoint: EndpointSettings): RequestedEndpoint;
  /** @throws System `container X is not connected to network Y` */
  disconnect(network: NetworkId, containerId: ContainerId): Promise<void>;

  /**
   * The answer of inspect; from the engine's own state, no I/O.
   * @param requested the networks of a container that does not run are shown, too: without addresses
   * @param whose and with its names there, if it has run or was connected
   */
  settings(
    containerId: ContainerId,
    requested?: Record<string, RequestedEndpoint>,
    whose?: Pick<SandboxRequest, 'containerName' | 'hostname'> & { hasRun: boolean },
  ): SandboxSettings;
  /** Another number as soon as any answer of `settings` may be another one. */
  readonly revision: number;

  /** Where hosts, hostname and resolv.conf of an attached container are. @throws NotFound */
  hostFiles(containerId: ContainerId): { hostsPath: string; resolvConfPath: string; hostnamePath: string };

  /** The links of a container are others now. */
  relink(containerId: ContainerId, links: readonly LinkedContainer[]): Promise<void>;
  /** A container got another name: the name service answers with it from now on. */
  rename(containerId: ContainerId, name: string): Promise<void>;
  /** Whether `address` is the host's own on one of our networks; an API listener there would serve containers. */
  isBridgeAddress(address: string): boolean;

  /** Names of the networks that a driver makes, or gives the addresses of. */
  ofDriver(driver: string): string[];

  /** Loads stored networks, makes the predefined ones (`bridge`, `host`, `none`) whose drivers are present. */
  start(): Promise<void>;
  close(): Promise<void>;
  readonly defaultNetwork: string;
}

export interface ContainerLookup {
  /** By ID, name or ID prefix; `pid` is 0 unless it runs. */
  find(ref: string): { id: ContainerId; name: string; pid: number } | undefined;
  /** Addresses on a network that users chose for containers, whether these run or not. */
  promised(network: { id: NetworkId; name: string }): string[];
}

/** A container's requests to networks. */
export interface RequestedNetworks {
  /** HostConfig.NetworkMode, with an ID instead of the beginning of one. */
  mode: string;
  /** By name of the network; `NetworkID` says which one is meant, and is absent while there is none. */
  endpoints: Record<string, RequestedEndpoint>;
}

export interface SandboxRequest {
  containerId: ContainerId;
  containerName: string;
  hostname: string;
  domainname: string;
  /** HostConfig.NetworkMode, never empty: default, bridge, host, none, container:<id>, or a network's name or ID. */
  networkMode: string;
  /** The requested endpoints; the container's own stored list. Empty: no network, if the mode is not one by itself. */
  endpoints: RequestedNetworks['endpoints'];
  /** Image's and container's EXPOSE and -p, and -P. */
  exposedPorts: string[];
  portBindings: PortMap;
  publishAllPorts: boolean;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  extraHosts: string[];
  /** Aliases on the default network. */
  links: readonly LinkedContainer[];
  sysctls: NonNullable<HostConfig['Sysctls']>;
  /** Its user namespace, if it has not the host's: its network namespace belongs to that. */
  owner?: { userNamespace: UserNamespace; root: { uid: number; gid: number } } | undefined;
  /** Directory of the container under the data root, where hosts, hostname and resolv.conf are written. */
  directory: string;
  labels: Record<string, string>;
}

export interface Sandbox {
  /**
   * The namespace for the OCI spec. `host`: no network namespace at all; `path`: one with this path; `own`: one without
   * a path, which the runtime makes with only a loopback (for `none`: saves a process).
   */
  readonly namespace: { kind: 'host' } | { kind: 'path'; path: string } | { kind: 'own' };
  /** Where the user namespace is that was made for it. */
  readonly userNamespace?: string;
  readonly hostsPath: string;
  readonly hostnamePath: string;
  readonly resolvConfPath: string;
  readonly ready: Promise<void>;
  /** The requested endpoints, for the next start: with the IDs of the networks that were found by name now. */
  readonly endpoints: RequestedNetworks['endpoints'];
}

export interface SandboxSettings {
  sandboxId: string;
  sandboxKey: string;
  /** Published ports as really assigned. */
  ports: PortMap;
  networks: Record<string, EndpointSettings>;
}
