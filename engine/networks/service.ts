import type { HostConfig, PortMap } from '@cleat/protocol/api/container';
import type { EndpointSettings, NetworkCreateRequest, NetworkResource } from '@cleat/protocol/api/network';
import type { Filters } from '../events/service.js';

/**
 * Networks, sandboxes and endpoints. A sandbox is a network namespace per container; a driver answers with interfaces
 * and this room moves and configures them, as the remote driver protocol says, also for the built-in bridge.
 */
export interface Networks {
  create(request: NetworkCreateRequest): Promise<{ Id: string; Warning: string }>;
  list(filters: Filters): Promise<NetworkResource[]>;
  /** By ID, name or ID prefix. @throws NotFound `network X not found`, InvalidParameter when ambiguous. */
  inspect(ref: string, options?: { verbose?: boolean; scope?: string }): Promise<NetworkResource>;
  /** @throws Forbidden for predefined ones and while endpoints are active. */
  remove(ref: string): Promise<void>;
  prune(filters: Filters): Promise<{ NetworksDeleted: string[] }>;

  /** For create: checks the mode and endpoint settings without touching anything. @throws as Docker's create does. */
  validate(mode: string, endpoints: Record<string, EndpointSettings | null>): void;

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
  detach(containerId: string): Promise<void>;

  /** After a restart of the engine: the container runs still with what the store says; names and ports are re-served. */
  adopt(containerId: string): Promise<void>;
  /** After adopting all that runs: removes namespaces, endpoints, addresses, rules that nobody uses. */
  reconcile(runningContainerIds: ReadonlySet<string>): Promise<void>;

  /** On a running container (`running`), or only remembered for its next start. */
  connect(
    ref: string,
    container: SandboxRequest & { running: boolean; pid: number },
    endpoint: EndpointSettings,
  ): Promise<EndpointSettings>;
  disconnect(ref: string, containerId: string, options: { force: boolean }): Promise<void>;

  /**
   * What inspect shows; from the engine's own state, no I/O.
   * @param wished the networks of a container that does not run are shown, too: without addresses
   */
  settings(containerId: string, wished?: Record<string, EndpointSettings>): SandboxSettings;
  /** Another number as soon as any answer of `settings` may be another one. */
  readonly revision: number;

  /** Where hosts, hostname and resolv.conf of an attached container are. @throws NotFound */
  hostFiles(containerId: string): { hostsPath: string; resolvConfPath: string; hostnamePath: string };

  /** How this room learns of containers that others refer to (`container:<id>`, links). Set once by the wiring. */
  setContainers(lookup: ContainerLookup): void;
  /** A container got another name: the name service answers with it from now on. */
  rename(containerId: string, name: string): void;
  /** Whether `address` is the host's own on one of our networks; an API listener there would serve containers. */
  isBridgeAddress(address: string): boolean;

  /** Loads stored networks, makes the predefined ones (`bridge`, `host`, `none`) whose drivers are present. */
  start(): Promise<void>;
  close(): Promise<void>;
  readonly defaultNetwork: string;
}

export interface ContainerLookup {
  /** By ID, name or ID prefix; `pid` is 0 unless it runs. */
  find(ref: string): { id: string; name: string; pid: number } | undefined;
}

export interface SandboxRequest {
  containerId: string;
  containerName: string;
  hostname: string;
  domainname: string;
  /** HostConfig.NetworkMode, never empty: default, bridge, host, none, container:<id>, or a network's name or ID. */
  networkMode: string;
  /** The wished-for endpoints, by network name or ID; the container's own stored list. */
  endpoints: Record<string, EndpointSettings>;
  /** Image's and container's EXPOSE and -p, and -P. */
  exposedPorts: string[];
  portBindings: PortMap;
  publishAllPorts: boolean;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  extraHosts: string[];
  links: string[];
  sysctls: NonNullable<HostConfig['Sysctls']>;
  /** Directory of the container under the data root, where hosts, hostname and resolv.conf are written. */
  directory: string;
  labels: Record<string, string>;
}

export interface Sandbox {
  /**
   * What to put into the OCI spec. `host`: no network namespace at all; `path`: one with this path; `own`: one without
   * a path, which the runtime makes with only a loopback (for `none`: saves a process).
   */
  readonly namespace: { kind: 'host' } | { kind: 'path'; path: string } | { kind: 'own' };
  readonly hostsPath: string;
  readonly hostnamePath: string;
  readonly resolvConfPath: string;
  readonly ready: Promise<void>;
}

export interface SandboxSettings {
  sandboxId: string;
  sandboxKey: string;
  /** Published ports as really assigned. */
  ports: PortMap;
  networks: Record<string, EndpointSettings>;
}
