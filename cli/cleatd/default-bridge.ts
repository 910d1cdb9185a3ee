import { blockOf, contains, parseCidr, sizeOf, tryParseAddress } from '@cleat/protocol/cidr';
import { UsageError } from './options/parse.js';
import type { Flag, Values } from './options/table.js';

/**
 * Whether the predefined bridge network can be made from its options. A wrong option would end the start half-way.
 * @throws UsageError
 */
export function checkDefaultBridge(values: Values, nameOf: (flag: Flag) => string): void {
  const { bridge, bip, 'fixed-cidr': range, 'default-gateway': gateway } = values;
  if (bridge.length > 15 || /[\s/:]/.test(bridge) || bridge === '.' || bridge === '..') {
    throw new UsageError(
      `${nameOf('bridge')}: '${bridge}' cannot be a device: at most 15 characters, none of them / or :`,
    );
  }
  if (gateway !== '' && tryParseAddress(gateway)?.family !== 4) {
    throw new UsageError(`${nameOf('default-gateway')}: ${gateway} is not an ip address of version 4`);
  }
  const own = range === '' ? undefined : parseCidr(range);
  if (own !== undefined && own.address.value !== own.block.value) {
    throw new UsageError(`${nameOf('fixed-cidr')}: ${range} is not the beginning of a block`);
  }
  if (bridge === 'none' || bip === '') return;
  const { block, address } = parseCidr(bip);
  const last = block.value + sizeOf(block) - 1n;
  const isFree = block.prefix >= 31 || (address.value !== block.value && address.value !== last);
  if (block.prefix === 0 || block.prefix === 32 || (values['default-ipam-driver'] === 'default' && !isFree)) {
    throw new UsageError(
      `${nameOf('bip')}: ${bip} is not the address of a device in a subnet: write it as 172.30.0.1/16`,
    );
  }
  if (
    own !== undefined &&
    (own.block.prefix < block.prefix || blockOf(own.block, block.prefix).value !== block.value)
  ) {
    throw new UsageError(`${nameOf('fixed-cidr')}: ${range} is not within the subnet of ${nameOf('bip')}, ${bip}`);
  }
  if (gateway !== '' && !contains(block, tryParseAddress(gateway) ?? block)) {
    throw new UsageError(
      `${nameOf('default-gateway')}: ${gateway} is not within the subnet of ${nameOf('bip')}, ${bip}`,
    );
  }
}
