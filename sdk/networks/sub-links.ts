/** Work on the host for the driver of a network of sub-links; `HostSubLinks` of `@cleat/linux` does it. */
export interface SubLinkHost {
  /** Whether there is a link of that name. */
  exists(name: string): boolean;
  /** The link's MAC address, or empty. */
  macOf(name: string): Promise<string>;
  makeVlan(name: string, master: string, id: number): Promise<void>;
  /** A link that leads nowhere, as a parent for those that need none. */
  makeIsolated(name: string): Promise<void>;
  /** Removes a parent that was made here, and no other. */
  removeParent(name: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** @throws NotImplemented when the kernel has no links of that type */
  require(type: string, parent: string): Promise<void>;
  add(link: SubLink): Promise<void>;
}

export interface SubLink {
  name: string;
  parent: string;
  /** As after `type` of `ip link add`. */
  type: string;
  /** Empty: the kernel's choice. */
  mac: string;
  /** 0: the parent's. */
  mtu: number;
  /** A process in whose namespace it is made; 0: the host's. */
  pid: number;
}

/** How one type of sub-link differs from the others. */
export interface SubLinkType {
  readonly name: 'macvlan' | 'ipvlan';
  /** Beginning of the name of a parent that the driver makes where a user names none. */
  readonly parentPrefix: string;
  /** Each interface has a MAC address of its own. */
  readonly hasOwnMac: boolean;
  /** Reads the user's options of a network. @throws InvalidParameter */
  read(options: Readonly<Record<string, string>>): { mode: string; flag: string };
  /** @throws Forbidden when two networks cannot be on one parent */
  refuseSharing(network: SubLinkNetwork, other: SubLinkNetwork): void;
  /** As after `type` of `ip link add`. */
  linkType(network: SubLinkNetwork): string;
  /** The interface has its parent's MAC address. */
  takesParentMac(network: SubLinkNetwork): boolean;
  /** The default route leads to the device, without a gateway. */
  isRouted(network: SubLinkNetwork): boolean;
}

/** A network, as it is on disk. */
export interface SubLinkNetwork {
  v: 1;
  id: string;
  parent: string;
  /** The parent is a link that this driver makes. */
  made: '' | 'vlan' | 'isolated';
  mode: string;
  /** Empty: the type has none. */
  flag: string;
  /** 0: the parent's. */
  mtu: number;
  /** Containers have no default route. */
  internal: boolean;
  /** CIDRs; an empty gateway: none. */
  subnets: { pool: string; gateway: string }[];
}

/** A container's place on a network, as it is on disk. */
export interface SubLinkEndpoint {
  v: 1;
  id: string;
  networkId: string;
  /** Name of the interface while it is on the host. */
  link: string;
  /** Empty: its parent's. */
  mac: string;
  /** CIDRs, or empty. */
  ip: string;
  ip6: string;
}
