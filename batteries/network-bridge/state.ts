import type { Protocol, PublishedPort } from '@cleat/linux/firewall/ruleset';

export interface NetworkRecord {
  v: 1;
  id: string;
  /** Device name. */
  bridge: string;
  /** We made the device, so we remove it with the network. */
  owned: boolean;
  /** The device is being made: it may be there without the alias that says whose it is. */
  making?: true;
  /** The engine's default network; it makes that one itself. */
  isDefault?: boolean;
  /** CIDRs. */
  subnets: string[];
  /** The bridge's own addresses as CIDR; empty strings are left out. */
  gateways: string[];
  mtu: number;
  /** Addresses of the host that hide the containers' (`com.docker.network.host_ipv4`, `.host_ipv6`). */
  snat?: string[];
  icc: boolean;
  masquerade: boolean;
  internal: boolean;
  /** Host address of published ports that name none. */
  hostIp: string;
  /** Name of interfaces in containers, without number. */
  prefix: string;
}

export interface EndpointRecord {
  v: 1;
  id: string;
  networkId: string;
  /** Name of the end that stays on the bridge. */
  hostLink: string;
  /** Name of the end that the engine moves into the sandbox, until then. */
  containerLink: string;
  mac: string;
  /** Without prefix length; empty: none. */
  ip: string;
  ip6: string;
  ports: PublishedPort[];
  /** Ports of other containers that it may reach in a network that keeps containers apart. Absent: none. */
  links?: EndpointLink[];
}

export interface EndpointLink {
  endpointId: string;
  ports: { protocol: Protocol; port: number }[];
}
