/** How containers are reached from beyond their network (moby's `gateway_mode`). */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';
/** Absent: `nat`. */
export interface GatewayModes {
  ipv4?: GatewayMode;
  ipv6?: GatewayMode;
}

/** The firewall's facts about a network. */
export interface FirewallNetwork {
  bridge: string;
  /** CIDRs of the network, IPv4 and IPv6. */
  subnets: readonly string[];
  /** Hide the containers' addresses behind the host's. */
  masquerade: boolean;
  /** Behind which one of the host's, at most one per family; missing: the one that the route has. */
  snat?: readonly string[];
  /** Containers on the network may speak to each other. */
  icc: boolean;
  /** No traffic to or from anywhere else. */
  internal: boolean;
  modes?: GatewayModes;
  /** Interfaces from which published ports are reached by the containers' own addresses. */
  trusted?: readonly string[];
  /** So do all other hosts. */
  directRouting?: boolean;
  /** Packets with this mark are let through to the containers: `mark`, or `mark/mask`. */
  acceptMark?: string;
}

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface PublishedPort {
  protocol: Protocol;
  /** `0.0.0.0` or `::` for every address of the host. */
  hostIp: string;
  /** 0: none; the container's own port is reached by its own address. */
  hostPort: number;
  containerIp: string;
  containerPort: number;
  /** The container's own port is reached by its own address, as far as its network says. */
  direct?: true;
}

/** Ports of another container that a container may reach, in a network whose containers may not speak to each other. */
export interface LinkedPort {
  /** IPv4 addresses of the one that is linked to the other, and of that one. */
  from: string;
  to: string;
  protocol: Protocol;
  port: number;
}

/** Whether the kernel translates it; what else comes to `[::1]`, or over IPv6 to an IPv4 address, is a proxy's. */
export const isTranslated = ({ hostIp, hostPort, containerIp }: PublishedPort): boolean =>
  hostPort > 0 && hostIp !== '::1' && hostIp.includes(':') === containerIp.includes(':');

const any = new Set(['', '0.0.0.0', '::']);

/** The map that holds the port, and its element there. */
export function portElement(port: PublishedPort): { map: string; key: string; value: string } {
  const six = port.containerIp.includes(':') ? '6' : '';
  const everywhere = any.has(port.hostIp);
  return {
    map: everywhere ? `published${six}` : `published${six}_on`,
    key: `${everywhere ? '' : `${port.hostIp} . `}${port.protocol} . ${port.hostPort}`,
    value: `${port.containerIp} . ${port.containerPort}`,
  };
}

/** The elements of sets that let packets through to the ports' containers, each once. */
export function directElements(ports: readonly PublishedPort[]): { set: string; key: string }[] {
  const direct = ports.filter((port) => port.direct);
  const elements = direct.map(({ containerIp, protocol, containerPort }) => ({
    set: containerIp.includes(':') ? 'direct6' : 'direct',
    key: `${containerIp} . ${protocol} . ${containerPort}`,
  }));
  return [...new Map(elements.map((element) => [element.key, element])).values()];
}

/**
 * The engine's whole table as an nft script that replaces the former one in a single transaction: no packet ever meets
 * half of it. Only this table is touched; another's tables may drop what we accept, never the other way round.
 */
export function ruleset(
  table: string,
  networks: readonly FirewallNetwork[],
  ports: readonly PublishedPort[],
  links: readonly LinkedPort[] = [],
): string {
  const linked = [...new Set(links.map(({ from, to, protocol, port }) => `${from} . ${to} . ${protocol} . ${port}`))];
  const bridges = networks.map(({ bridge }) => `"${bridge}"`).join(', ');
  return `table inet ${table}
delete table inet ${table}
table inet ${table} {
${portMap('published', 'inet_proto . inet_service : ipv4_addr . inet_service', ports)}
${portMap('published_on', 'ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service', ports)}
${portMap('published6', 'inet_proto . inet_service : ipv6_addr . inet_service', ports)}
${portMap('published6_on', 'ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service', ports)}
${directSet('direct', 'ipv4_addr', ports)}
${directSet('direct6', 'ipv6_addr', ports)}
  set bridges {
    type ifname
    ${bridges ? `elements = { ${bridges} }` : ''}
  }
  set linked {
    type ipv4_addr . ipv4_addr . inet_proto . inet_service
    ${linked.length > 0 ? `elements = { ${linked.join(', ')} }` : ''}
  }
  chain ports {
    meta nfproto ipv4 meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @published_on
    meta nfproto ipv4 meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . th dport map @published
    meta nfproto ipv6 meta l4proto { tcp, udp, sctp } dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_on
    meta nfproto ipv6 meta l4proto { tcp, udp, sctp } dnat ip6 to meta l4proto . th dport map @published6
  }
  chain unspoofed {
    type filter hook prerouting priority raw
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    ip daddr 127.0.0.0/8 return comment "what comes from elsewhere must not reach ports published on loopback"
    ip6 daddr ::1 return
    ip6 saddr fe80::/10 return comment "its answer would not find back: a proxy serves it"
    fib daddr type local jump ports
  }
  chain output {
    type nat hook output priority -100
    ip6 daddr ::1 return comment "the kernel cannot translate ::1"
    fib daddr type local jump ports
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
${networks.flatMap(translation).join('\n')}
  }
  chain forward {
    type filter hook forward priority filter
    ct state established,related accept
${networks.flatMap(seclusion).join('\n')}
    ct status dnat accept
${networks.flatMap(isolation).join('\n')}
    oifname @bridges drop comment "from another network, or from outside to a port that is not published"
  }
}
`;
}

function portMap(name: string, type: string, ports: readonly PublishedPort[]): string {
  const elements = ports
    .filter(isTranslated)
    .map(portElement)
    .filter(({ map }) => map === name)
    .map(({ key, value }) => `${key} : ${value}`);
  return `  map ${name} {
    type ${type}
    ${elements.length > 0 ? `elements = { ${elements.join(', ')} }` : ''}
  }`;
}

function directSet(name: string, address: string, ports: readonly PublishedPort[]): string {
  const elements = directElements(ports).flatMap(({ set, key }) => (set === name ? [key] : []));
  return `  set ${name} {
    type ${address} . inet_proto . inet_service
    ${elements.length > 0 ? `elements = { ${elements.join(', ')} }` : ''}
  }`;
}

const modeOf = ({ modes = {} }: FirewallNetwork, subnet: string): GatewayMode =>
  (subnet.includes(':') ? modes.ipv6 : modes.ipv4) ?? 'nat';

function translation(network: FirewallNetwork): string[] {
  const { bridge, subnets, masquerade, snat = [] } = network;
  return subnets.flatMap((subnet) => {
    if (modeOf(network, subnet) === 'routed') return [];
    const ip = subnet.includes(':') ? 'ip6' : 'ip';
    const source = snat.find((address) => address.includes(':') === (ip === 'ip6'));
    const hide = source ? `snat ${ip} to ${source}` : 'masquerade';
    return [
      // A container that uses its own network's published port: the answer must come back through the host.
      `    ${ip} saddr ${subnet} ${ip} daddr ${subnet} ct status dnat masquerade`,
      ...(ip === 'ip' ? [`    oifname "${bridge}" ip saddr 127.0.0.0/8 ct status dnat masquerade`] : []),
      ...(masquerade ? [`    ${ip} saddr ${subnet} oifname != "${bridge}" ${hide}`] : []),
    ];
  });
}

/** An internal network is apart from all else, whatever is published there. */
const seclusion = ({ bridge, internal }: FirewallNetwork): string[] =>
  internal
    ? [`    iifname "${bridge}" oifname != "${bridge}" drop`, `    iifname != "${bridge}" oifname "${bridge}" drop`]
    : [];

const transport = 'meta l4proto { tcp, udp, sctp }';

function isolation(network: FirewallNetwork): string[] {
  const { bridge, icc, internal, acceptMark } = network;
  const within = `    iifname "${bridge}" oifname "${bridge}"`;
  return [
    ...(acceptMark && !internal ? [`    oifname "${bridge}" ${markMatch(acceptMark)} accept`] : []),
    // As moby has it, what a linked port sends unasked may pass, too.
    ...(icc
      ? []
      : [
          `${within} ${transport} ip saddr . ip daddr . meta l4proto . th dport @linked accept`,
          `${within} ${transport} ip daddr . ip saddr . meta l4proto . th sport @linked accept`,
        ]),
    `${within} ${icc ? 'accept' : 'drop'}`,
    ...(internal ? [] : network.subnets.flatMap((subnet) => directAccess(network, subnet))),
  ];
}

function markMatch(text: string): string {
  const [mark, mask] = text.split('/');
  return mask === undefined ? `meta mark ${mark}` : `meta mark and ${mask} == ${mark}`;
}

/** Rules that let packets from elsewhere through to the containers' own addresses. */
function directAccess(network: FirewallNetwork, subnet: string): string[] {
  const { bridge, trusted = [], directRouting } = network;
  const six = subnet.includes(':');
  const to = `oifname "${bridge}" meta nfproto ${six ? 'ipv6' : 'ipv4'}`;
  const published = six
    ? `${transport} ip6 daddr . meta l4proto . th dport @direct6 accept`
    : `${transport} ip daddr . meta l4proto . th dport @direct accept`;
  const mode = modeOf(network, subnet);
  if (mode === 'nat-unprotected') return [`    ${to} accept`];
  if (mode === 'routed')
    return [`    ${to} meta l4proto ${six ? 'ipv6-icmp' : 'icmp'} accept`, `    ${to} ${published}`];
  if (directRouting) return [`    ${to} ${published}`];
  return trusted.length > 0
    ? [`    iifname { ${trusted.map((name) => `"${name}"`).join(', ')} } ${to} ${published}`]
    : [];
}
