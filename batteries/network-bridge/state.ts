import type { GatewayModes, Protocol, PublishedPort } from '@cleat/linux/firewall/ruleset';

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
  /** Addresses of the gateways as CIDR; empty strings are left out. */
  gateways: string[];
  /** How containers are reached from beyond. Absent: by NAT. */
  modes?: GatewayModes;
  /** Interfaces from which published ports are reached by the containers' own addresses. Absent: none. */
  trusted?: string[];
  /** The host has no IPv4 address on the bridge. */
  inhibitIPv4?: true;
  mtu: number;
  /** Its user chose the MTU. */
  ownMtu?: true;
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

/**
 * Whether the bridge is somebody else's, on which containers are hosts among others. That of the default network, which
 * the operator named, is not: there this host is the containers' router.
 */
export const isBorrowed = ({ owned, isDefault = false }: NetworkRecord): boolean => !owned && !isDefault;

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
  /** Families for which it is the container's way out. Absent while nothing is published. */
  gatewayFor?: Family[];
  /** Ports of other containers that it may reach in a network that keeps containers apart. Absent: none. */
  links?: EndpointLink[];
}

export type Family = 'ipv4' | 'ipv6';

export interface EndpointLink {
  endpointId: string;
  ports: { protocol: Protocol; port: number }[];
}
