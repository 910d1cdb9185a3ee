import type { NetworkStatus } from '@cleat/protocol/api/network';
import { type Address, type Block, contains, lastOf, parseAddress, parseCidr, sizeOf } from '@cleat/protocol/cidr';
import type { NetworkRecord, PoolRecord, SandboxRecord } from './record.js';

/** Numbers of addresses end here: Go's uint64. */
const most = 2n ** 64n - 1n;

/** The part of inspect that is no setting. */
export function networkStatus(
  network: NetworkRecord,
  sandboxes: readonly SandboxRecord[],
  defaultIpamDriver: string,
): NetworkStatus {
  const { allocation, ipam } = network;
  return {
    IPAM: ipam.driver === defaultIpamDriver ? addressStatus(network, sandboxes) : {},
    // Not among its options: Compose 1 makes a network again whose options are others than its file's.
    ...(allocation ? { Allocation: allocation } : {}),
  };
}

/**
 * How many addresses of a network's subnets are taken (moby `Network.IPAMStatus`). Only the default IPAM driver is
 * known to take none that it was not asked for; of another one's nothing is said, as in Docker.
 */
function addressStatus(network: NetworkRecord, sandboxes: readonly SandboxRecord[]): NetworkStatus['IPAM'] {
  const pools = [...network.v4, ...network.v6];
  if (network.sandbox !== 'own' || pools.length === 0) return {};
  return { Subnets: Object.fromEntries(pools.map((pool) => [pool.pool, poolStatus(network, pool, sandboxes)])) };
}

function poolStatus(network: NetworkRecord, pool: PoolRecord, sandboxes: readonly SandboxRecord[]) {
  const { block } = parseCidr(pool.pool);
  const taken = new Set(
    [
      ...reserved(block),
      ...(pool.gatewayTaken ? [addressOf(pool.gateway)] : []),
      ...Object.values(pool.aux).map(addressOf),
      ...sandboxes
        .flatMap(({ endpoints }) => endpoints)
        .filter(({ networkId }) => networkId === network.id)
        .flatMap((endpoint) => endpoint.pools)
        .filter(({ id }) => id === pool.id)
        .map(({ address }) => addressOf(address)),
    ].map(({ value }) => value),
  );
  const given = network.ipam.config.find(({ Subnet }) => Subnet && parseCidr(Subnet).block.value === block.value);
  const range = given?.IPRange ? parseCidr(given.IPRange).block : block;
  const within = [...taken].filter((value) => contains(range, { family: block.family, value })).length;
  return { IPsInUse: atMost(BigInt(taken.size)), DynamicIPsAvailable: atMost(sizeOf(range) - BigInt(within)) };
}

/** The addresses that the driver gives to nobody: network and broadcast address (IPv4), the routers' anycast address (IPv6). */
function reserved(block: Block): Address[] {
  const first = { family: block.family, value: block.value };
  const host = (block.family === 4 ? 32 : 128) - block.prefix;
  if (host < 2) return [];
  return block.family === 4 ? [first, lastOf(block)] : [first];
}

const addressOf = (text: string): Address => parseAddress(text.split('/')[0] ?? '');
const atMost = (number: bigint): bigint => (number < most ? number : most);
