import { option } from './option.js';

const group = 'Networks';

export const networkOptions = [
  option('bridge', 'string', {
    group,
    short: 'b',
    help: 'Device of the default bridge network, made if it is missing (default cleat0); none: no such network',
  }),
  option('allow-direct-routing', 'bool', {
    group,
    help: "Let other hosts reach published ports by the containers' own addresses",
  }),
  option('bip', 'string', { group, help: "The default bridge's own address, as 172.30.0.1/16" }),
  option('bip6', 'string', { group, help: "The default bridge's own IPv6 address, as fd00:30::1/64; needs --ipv6" }),
  option('bridge-accept-fwmark', 'string', {
    group,
    help: 'Let packets with this firewall mark, as 1 or 0x1/0x3, through to containers',
  }),
  option('fixed-cidr', 'string', { group, help: 'Part of that subnet from which containers get addresses' }),
  option('fixed-cidr-v6', 'string', { group, help: 'The same for IPv6, or the whole subnet where --bip6 is absent' }),
  option('default-gateway', 'string', { group, help: 'Gateway of containers on the default bridge network' }),
  option('default-gateway-v6', 'string', { group, help: 'The same for IPv6' }),
  option('default-network-opt', 'driver-options', {
    group,
    key: 'default-network-opts',
    help: 'Option of all new networks of a driver, as DRIVER=KEY=VALUE',
  }),
  option('default-address-pool', 'pools', {
    group,
    key: 'default-address-pools',
    help: 'Pool for networks without a subnet, as base=10.0.0.0/8,size=24',
  }),
  option('dns', 'list', { group, help: 'DNS server of containers' }),
  option('dns-opt', 'list', { group, key: 'dns-opts', help: 'DNS option of containers' }),
  option('dns-search', 'list', { group, help: 'DNS search domain of containers' }),
  option('host-gateway-ip', 'list', {
    group,
    key: 'host-gateway-ips',
    oldKeys: ['host-gateway-ip'],
    help: "What 'host-gateway' in --add-host stands for (default: the default bridge's address)",
  }),
  option('icc', 'bool', {
    group,
    default: true,
    help: 'Let containers on the default bridge network talk to each other',
  }),
  option('ip', 'string', { group, default: '0.0.0.0', help: 'Host address of published ports that name none' }),
  option('ip-forward', 'bool', { group, default: true, help: 'Enable net.ipv4.ip_forward' }),
  option('ip-masq', 'bool', { group, default: true, help: 'Masquerade what leaves the default bridge network' }),
  option('iptables', 'bool', { group, default: true, help: 'Let the engine make firewall rules (nftables)' }),
  option('ipv6', 'bool', { group, help: 'IPv6 on the default bridge network' }),
  option('mtu', 'int', { group, help: 'MTU of the default bridge network' }),
  option('node-address', 'string', {
    group,
    help: 'Address of this host for others, of which network drivers of global scope are told (DiscoverNew)',
  }),
  option('node-list', 'string', {
    group,
    help: 'File with the addresses of the other hosts, one in a line, of which they are told, too; read when it changes',
  }),
] as const;
