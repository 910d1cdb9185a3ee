import { deviceNameRule, isDeviceName } from '@cleat/linux/net/device-name';
import { blockOf, contains, parseCidr, sizeOf, tryParseAddress } from '@cleat/protocol/cidr';
import { UsageError } from './options/parse.js';
import type { Flag, Values } from './options/table.js';

/** The options of one family. */
const families = [
  { family: 4, bits: 32, own: 'bip', range: 'fixed-cidr', gateway: 'default-gateway', example: '172.30.0.1/16' },
  {
    family: 6,
    bits: 128,
    own: 'bip6',
    range: 'fixed-cidr-v6',
    gateway: 'default-gateway-v6',
    example: 'fd00:30::1/64',
  },
] as const;

/**
 * Whether the predefined bridge network can be made from its options. A wrong option would end the start half-way.
 * @throws UsageError
 */
export function checkDefaultBridge(values: Values, nameOf: (flag: Flag) => string): void {
  const { bridge } = values;
  if (bridge !== '' && !isDeviceName(bridge)) {
    throw new UsageError(`${nameOf('bridge')}: '${bridge}' cannot be a device: ${deviceNameRule}`);
  }
  for (const family of families) checkFamily(values, nameOf, family);
}

function checkFamily(values: Values, nameOf: (flag: Flag) => string, flags: (typeof families)[number]): void {
  const { family, bits, example } = flags;
  const [bip, range, gateway] = [values[flags.own], values[flags.range], values[flags.gateway]];
  if (gateway !== '' && tryParseAddress(gateway)?.family !== family) {
    throw new UsageError(`${nameOf(flags.gateway)}: ${gateway} is not an ip address of version ${family}`);
  }
  const own = range === '' ? undefined : parseCidr(range);
  if (own !== undefined && own.address.value !== own.block.value) {
    throw new UsageError(`${nameOf(flags.range)}: ${range} is not the beginning of a block`);
  }
  if (values.bridge === 'none' || bip === '') return;
  const { block, address } = parseCidr(bip);
  const last = block.value + sizeOf(block) - 1n;
  const isReserved = address.value === block.value || (family === 4 && address.value === last);
  const isFree = block.prefix >= bits - 1 || !isReserved;
  if (block.prefix === 0 || block.prefix === bits || (values['default-ipam-driver'] === 'default' && !isFree)) {
    throw new UsageError(
      `${nameOf(flags.own)}: ${bip} is not the address of a device in a subnet: write it as ${example}`,
    );
  }
  const subnet = `the subnet of ${nameOf(flags.own)}, ${bip}`;
  if (
    own !== undefined &&
    (own.block.prefix < block.prefix || blockOf(own.block, block.prefix).value !== block.value)
  ) {
    throw new UsageError(`${nameOf(flags.range)}: ${range} is not within ${subnet}`);
  }
  if (gateway !== '' && !contains(block, tryParseAddress(gateway) ?? block)) {
    throw new UsageError(`${nameOf(flags.gateway)}: ${gateway} is not within ${subnet}`);
  }
}
