import type { IpamConfig, NetworkCreateRequest } from '@cleat/protocol/api/network';
import { notManager } from '@cleat/protocol/api/swarm';
import { contains, formatBlock, overlaps, parseCidr, tryParseAddress } from '@cleat/protocol/cidr';
import { listed } from '@cleat/protocol/complaints';
import { conflict, forbidden, invalidParameter, isClass } from '@cleat/protocol/errors';
import { refuseLargeRecord } from '../store/record-size.js';
import type { NetworksContext } from './context.js';
import { isPredefined } from './resource.js';

/** @throws InvalidParameter, Forbidden, Conflict in Docker's words when a network cannot be made as it is asked for */
export function checkCreation(
  context: Pick<NetworksContext, 'creating' | 'registry'>,
  name: string,
  request: NetworkCreateRequest,
  predefined: boolean,
): void {
  if (!name) throw invalidParameter('invalid name: name is empty');
  refuseLargeRecord('the network', request);
  if (!predefined && isPredefined(name)) {
    throw forbidden(`operation is not permitted on predefined ${name} network `);
  }
  if (context.registry.byName(name) || context.creating.has(name)) {
    throw conflict(`network with name ${name} already exists`);
  }
  if (request.Scope === 'swarm' || request.Ingress) {
    throw forbidden(notManager);
  }
  const ipv4 = request.EnableIPv4 ?? true;
  if (!ipv4 && !request.EnableIPv6) throw invalidParameter('IPv4 or IPv6 must be enabled');
  checkIpam(request.IPAM?.Config ?? [], request.EnableIPv6 ?? false);
}

/** @returns undefined for what is no CIDR */
function cidrOf(text: string): ReturnType<typeof parseCidr> | undefined {
  try {
    return parseCidr(text);
  } catch (error) {
    if (isClass(error, 'InvalidParameter')) return undefined;
    throw error;
  }
}

/** As moby `daemon/network.go` checks it. @throws InvalidParameter with all complaints */
function checkIpam(configs: readonly IpamConfig[], six: boolean): void {
  const complaints: string[] = [];
  for (const config of configs) {
    if (!config.Subnet) {
      if (config.Gateway || config.IPRange)
        complaints.push('every ip-range or gateway must have a corresponding subnet');
      continue;
    }
    const subnet = cidrOf(config.Subnet);
    if (!subnet) {
      complaints.push(`invalid subnet ${config.Subnet}: invalid CIDR block notation`);
      continue;
    }
    const { block, address } = subnet;
    if (block.family === 6 && !six) continue;
    if (address.value !== block.value)
      complaints.push(`invalid subnet ${config.Subnet}: it should be ${formatBlock(block)}`);
    if (config.IPRange) {
      const range = cidrOf(config.IPRange);
      const text = `invalid ip-range ${config.IPRange}:`;
      if (!range) complaints.push(`${text} invalid CIDR block notation`);
      else if (range.block.family !== block.family)
        complaints.push(`${text} parent subnet is an IPv${block.family} block`);
      else {
        if (range.block.prefix < block.prefix) {
          complaints.push(`${text} CIDR block is bigger than its parent subnet ${config.Subnet}`);
        }
        if (range.address.value !== range.block.value) {
          complaints.push(`${text} it should be ${formatBlock(range.block)}`);
        }
        if (!overlaps(block, range.block)) {
          complaints.push(`${text} parent subnet ${config.Subnet} doesn't contain ip-range`);
        }
      }
    }
    const auxiliary = Object.entries(config.AuxiliaryAddresses ?? config.AuxAddress ?? {});
    const named = [['gateway', config.Gateway ?? ''], ...auxiliary.map(([k, v]) => [`auxiliary address ${k}`, v])];
    for (const [what, text] of named) {
      if (!text) continue;
      const parsed = tryParseAddress(text);
      const reason = !parsed
        ? 'invalid address'
        : parsed.family !== block.family
          ? `parent subnet is an IPv${block.family} block`
          : contains(block, parsed)
            ? ''
            : `parent subnet ${config.Subnet} doesn't contain this address`;
      if (reason) complaints.push(`invalid ${what === 'gateway' ? `gateway ${text}` : what}: ${reason}`);
    }
  }
  if (complaints.length > 0) throw invalidParameter(`invalid network config:\n${listed(complaints)}`);
}
