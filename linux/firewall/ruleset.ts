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
}

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface PublishedPort {
  protocol: Protocol;
  /** `0.0.0.0` or `::` for every address of the host. */
  hostIp: string;
  hostPort: number;
  containerIp: string;
  containerPort: number;
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
export const isTranslated = ({ hostIp, containerIp }: PublishedPort): boolean =>
  hostIp !== '::1' && hostIp.includes(':') === containerIp.includes(':');

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

function translation({ bridge, subnets, masquerade, snat = [] }: FirewallNetwork): string[] {
  return subnets.flatMap((subnet) => {
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

function isolation({ bridge, icc, internal }: FirewallNetwork): string[] {
  const within = `    iifname "${bridge}" oifname "${bridge}"`;
  const transport = 'meta l4proto { tcp, udp, sctp }';
  return [
    // As moby has it, what a linked port sends unasked may pass, too.
    ...(icc
      ? []
      : [
          `${within} ${transport} ip saddr . ip daddr . meta l4proto . th dport @linked accept`,
          `${within} ${transport} ip daddr . ip saddr . meta l4proto . th sport @linked accept`,
        ]),
    `${within} ${icc ? 'accept' : 'drop'}`,
    ...(internal ? [`    iifname "${bridge}" drop`] : []),
  ];
}
