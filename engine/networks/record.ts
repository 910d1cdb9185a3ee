import type { EndpointSettings, IpamConfig } from '@cleat/protocol/api/network';
import type { PortBinding } from '@cleat/protocol/kinds/network';

/** A pool of addresses that an IPAM driver gave to a network. */
export interface PoolRecord {
  id: string;
  /** CIDR */
  pool: string;
  /** CIDR with the pool's prefix; empty: none. */
  gateway: string;
  /** The gateway's address was taken from the IPAM driver, so it is to be given back. */
  gatewayTaken: boolean;
  /** Name → address without prefix. */
  aux: Record<string, string>;
}

export interface NetworkRecord {
  v: 1;
  id: string;
  name: string;
  driver: string;
  /** RFC 3339 with nanoseconds. */
  created: string;
  scope: string;
  /** As the driver said; see `protocol/kinds/network.ts`. */
  sandbox: 'own' | 'host' | 'none';
  enableIPv4: boolean;
  enableIPv6: boolean;
  internal: boolean;
  attachable: boolean;
  ingress: boolean;
  configOnly: boolean;
  configFrom: string;
  options: Record<string, string>;
  labels: Record<string, string>;
  ipam: { driver: string; options: Record<string, string> | null; config: IpamConfig[] };
  addressSpace: string;
  v4: PoolRecord[];
  v6: PoolRecord[];
  /** Predefined networks: the configuration that they were made from; another one makes them anew. */
  madeFrom?: string;
}

/** A network on the way in or out, with what its drivers have to take back. */
export interface UnfinishedNetwork extends NetworkRecord {
  /** Its network driver may have made its part. */
  driverAsked: boolean;
}

/** One container's place on one network, while it runs. */
export interface EndpointRecord {
  id: string;
  networkId: string;
  networkName: string;
  driver: string;
  /** What the user asked for. */
  wished: EndpointSettings;
  /** CIDR, or empty. */
  ipv4: string;
  ipv6: string;
  /** The pools that the addresses are from. */
  pools: { id: string; address: string }[];
  mac: string;
  gateway: string;
  gateway6: string;
  /** The interface's name outside and inside the sandbox; empty: none. */
  srcName: string;
  dstName: string;
  /** The driver was asked to publish ports for this endpoint. */
  published: boolean;
  ports: PortBinding[];
  dnsNames: string[];
  /** Its `connect` is in the journal; a record that an earlier version wrote lacks it, and was announced. */
  announced?: boolean;
}

/** How a container is attached, while it runs. Written before anything is made, so that nothing can be forgotten. */
export interface SandboxRecord {
  v: 1;
  containerId: string;
  containerName: string;
  hostname: string;
  domainname: string;
  sandboxId: string;
  kind: 'host' | 'path' | 'own' | 'joined';
  /** Of the namespace file, for `path` and `joined`. */
  path: string;
  /** For `joined`: whose namespace it is. */
  ownerId: string;
  directory: string;
  endpoints: EndpointRecord[];
  exposedPorts: string[];
  wishedPorts: PortBinding[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  extraHosts: string[];
  /** Names in the form `container:alias`. */
  links: string[];
}
