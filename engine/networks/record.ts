import type { EndpointSettings, IpamConfig } from '@cleat/protocol/api/network';
import type { PortBinding } from '@cleat/protocol/kinds/network';
import type { ContainerId, NetworkId, NetworkName } from '../ids.js';

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
  id: NetworkId;
  name: NetworkName;
  driver: string;
  /** RFC 3339 with nanoseconds. */
  created: string;
  /** `local` or `global`, as the driver said. */
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
  /** The options by which the driver knows what it reserved on all hosts; empty while it is asked. Absent: nothing. */
  allocation?: Record<string, string>;
  labels: Record<string, string>;
  ipam: { driver: string; options: Record<string, string> | null; config: IpamConfig[] };
  addressSpace: string;
  v4: PoolRecord[];
  v6: PoolRecord[];
  /** An IPAM driver is being asked for a pool, and knows for whom: it may have given one that is not among these. */
  asking?: boolean;
  /** Predefined networks: the configuration that they were made from; another one makes them anew. */
  madeFrom?: string;
  /** A user had it removed, which is under way. */
  leaving?: true;
}

/** A route of a container's. */
export interface Route {
  /** CIDR */
  destination: string;
  /** Empty: directly connected. */
  via: string;
}

export type Family = 'ipv4' | 'ipv6';

/** One container's place on one network, while it runs. */
export interface EndpointRecord {
  id: string;
  networkId: NetworkId;
  networkName: NetworkName;
  driver: string;
  /** The user's settings. */
  requested: RequestedEndpoint;
  /** CIDR, or empty. */
  ipv4: string;
  ipv6: string;
  /** The pools that the addresses are from. */
  pools: { id: string; address: string }[];
  /**
   * An IPAM driver is being asked for an address, and knows for whom: it may have given one that is not among these.
   */
  asking?: boolean;
  mac: string;
  gateway: string;
  gateway6: string;
  /** The interface's name outside and inside the sandbox; empty: none. */
  srcName: string;
  dstName: string;
  /** The interface ends with its namespace; its driver does not look for it on the host. */
  linkDies: boolean;
  /** How far the network driver was asked, so that exactly that is taken back. */
  stage: 'addressed' | 'created' | 'joined';
  /** The sandbox's way out over the gateway network, which its user did not ask for. */
  role?: 'gateway';
  /** Numbers of the events that tell of it; absent: none does. */
  connectedBy?: number;
  endedBy?: number;
  /** The driver wants no such way for this endpoint. */
  gatewayDisabled: boolean;
  /** A static route of the driver's leads everywhere, over IPv4. */
  defaultRoute: boolean;
  /** The same over IPv6. Absent: none does. */
  defaultRoute6?: boolean;
  /** Those routes. Absent: none, or the record is of an engine that did not keep them. */
  everywhere?: Route[];
  /** Its network is one without a way out. */
  internal?: boolean;
  /** The driver was asked to publish ports for this endpoint. */
  published: boolean;
  /** For which families it was said to be the way out then. Absent: it was not said. */
  publishedFor?: Family[];
  ports: PortBinding[];
  /** Inspect shows exposed ports: they may be published here. Absent: the driver publishes none. */
  showsPorts?: true;
  /** The driver was told of links that begin here. Absent: of none. */
  linksTold?: boolean;
  dnsNames: string[];
  /** A driver that shares names knows these. Absent: not yet, or none does. */
  namesTold?: true;
}

/** Requested settings of a container's place on a network. */
export interface RequestedEndpoint extends EndpointSettings {
  /** `Links`, with the containers that they are to. */
  linked?: EndpointLink[];
  /** It was connected while it did not run: inspect shows its names on that network from then on. */
  named?: true;
}

/** An alias of one container's for another. */
export interface EndpointLink {
  alias: string;
  /** As the user named the other one. */
  name: string;
  /** Which one that was when it was said; absent: none was there yet, so the name is looked up each time. */
  containerId?: ContainerId;
}

/** A container that another finds by an alias, whatever it is called. */
export interface LinkedContainer {
  containerId: ContainerId;
  alias: string;
}

/** How a container is attached, while it runs. Written before anything is made, so that nothing can be forgotten. */
export interface SandboxRecord {
  /** See `stored-sandbox.ts` for those of version 1. */
  v: 2;
  containerId: ContainerId;
  containerName: string;
  hostname: string;
  domainname: string;
  sandboxId: string;
  kind: 'host' | 'path' | 'own' | 'joined';
  /** Path of the namespace file, for `path` and `joined`. */
  path: string;
  /** For `joined`: whose namespace it is. */
  ownerId: string;
  directory: string;
  /** Its user switched IPv6 off. */
  withoutIPv6?: true;
  /** Its root on the host. Absent: the host's own. */
  root?: { uid: number; gid: number };
  endpoints: EndpointRecord[];
  exposedPorts: string[];
  requestedPorts: PortBinding[];
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  extraHosts: string[];
  /** Others that it finds by aliases of its own on the default network. Absent: none. */
  linked?: LinkedContainer[];
}
