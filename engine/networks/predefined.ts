import { interfaceNames, linkFacts } from '@cleat/linux/net/facts';
import type { IpamConfig, NetworkCreateRequest } from '@cleat/protocol/api/network';
import { formatAddress, formatBlock, parseCidr } from '@cleat/protocol/cidr';
import { messageOf } from '@cleat/protocol/errors';
import { netlabel } from '@cleat/protocol/kinds/network';
import type { NetworksConfig } from '../config.js';
import type { NetworksContext } from './context.js';
import { createNetwork, gatewayAux, isMissing, removeNetwork } from './create.js';
import type { NetworkRecord } from './record.js';

/**
 * Makes the predefined networks that are missing. One whose driver is absent is left out, and said so; it is tried
 * again when somebody asks for it. One that was made from another configuration is made anew if nobody uses it.
 * @throws what else goes wrong, for example a bridge of that name that is somebody else's
 */
export async function ensurePredefined(context: NetworksContext): Promise<void> {
  for (const name of ['none', 'host', 'bridge']) await ensureOne(context, name);
}

/**
 * A caller that asks while it is being made waits for it.
 * @throws when it cannot be made for another reason than an absent driver
 */
export function ensureOne(context: NetworksContext, name: string): Promise<void> {
  const under = context.ensuring.get(name);
  if (under) return under;
  const work = makeOne(context, name).finally(() => context.ensuring.delete(name));
  context.ensuring.set(name, work);
  return work;
}

async function makeOne(context: NetworksContext, name: string): Promise<void> {
  const request = await requestFor(context.config, name);
  const there = context.registry.byName(name);
  const madeFrom = request ? JSON.stringify(request) : undefined;
  if (there && there.madeFrom === madeFrom) return wake(context, there);
  if (there && context.endpointsOn(there.id).length > 0) {
    context.log.warn('a predefined network keeps its former configuration while containers use it', { name });
    return;
  }
  try {
    if (there) await removeNetwork(context, there, true);
    if (request) await createNetwork(context, request, { predefined: true, madeFrom: madeFrom ?? '' });
  } catch (error) {
    if (!isMissing(error)) throw error;
    context.registry.missing(name, error);
    context.log.warn(`network ${name} is not available: ${messageOf(error)}`);
  }
}

/** Its driver makes on this host what a stop or a reboot took; that is not waited for. */
function wake(context: Pick<NetworksContext, 'drivers' | 'log'>, { driver, sandbox, name }: NetworkRecord): void {
  if (sandbox !== 'own') return;
  context.drivers.network(driver).catch((error: unknown) => {
    if (isMissing(error)) context.log.warn(`network ${name} is not available: ${messageOf(error)}`);
    else context.log.error('a predefined network could not be made ready', { name, error: messageOf(error) });
  });
}

async function requestFor(config: NetworksConfig, name: string): Promise<NetworkCreateRequest | undefined> {
  if (name === 'none') return { Name: name, Driver: 'null' };
  if (name === 'host') return { Name: name, Driver: 'host' };
  if (config.bridge === 'none') return undefined;
  return {
    Name: 'bridge',
    Driver: config.defaultNetworkDriver,
    EnableIPv6: config.ipv6,
    Options: {
      [netlabel.defaultBridge]: 'true',
      [netlabel.enableIcc]: String(config.icc),
      [netlabel.enableIpMasquerade]: String(config.ipMasq),
      [netlabel.hostBinding]: config.ip,
      [netlabel.bridgeName]: config.bridge,
      [netlabel.mtu]: String(config.mtu ?? 1500),
    },
    IPAM: { Driver: config.defaultIpamDriver, Config: await addressesFor(config) },
  };
}

/**
 * For both families: `--bip`, `--fixed-cidr` and `--default-gateway`; or the addresses of a bridge that the operator made
 * (moby `getDefaultBridgeIPAMConf`).
 */
async function addressesFor(config: NetworksConfig): Promise<IpamConfig[]> {
  const existing = await addressesOfExisting(config.bridge);
  const { bip, fixedCidr, defaultGateway, bip6, fixedCidr6, defaultGateway6 } = config;
  return [
    ...addressesOf(bip ?? existing.four, fixedCidr, defaultGateway && { [gatewayAux.four]: defaultGateway }),
    ...(config.ipv6
      ? addressesOf(bip6 ?? existing.six, fixedCidr6, defaultGateway6 && { [gatewayAux.six]: defaultGateway6 })
      : []),
  ];
}

/** @param own the bridge's own address, as CIDR */
function addressesOf(
  own: string | undefined,
  range: string | undefined,
  gateway: Record<string, string> | '' | undefined,
): IpamConfig[] {
  const subnet = own ?? range;
  if (subnet === undefined) return [];
  return [
    {
      Subnet: formatBlock(parseCidr(subnet).block),
      ...(own === undefined ? {} : { Gateway: formatAddress(parseCidr(own).address) }),
      ...(range === undefined ? {} : { IPRange: formatBlock(parseCidr(range).block) }),
      ...(gateway ? { AuxiliaryAddresses: gateway } : {}),
    },
  ];
}

/** Only of a device that nobody tagged: our own got its address from IPAM. */
async function addressesOfExisting(device: string): Promise<{ four?: string | undefined; six?: string | undefined }> {
  if (!interfaceNames().has(device)) return {};
  const facts = await linkFacts(device);
  if (!facts || facts.alias.startsWith('cleat:')) return {};
  const isSix = (address: string) => address.includes(':');
  return { four: facts.addresses.find((address) => !isSix(address)), six: facts.addresses.find(isSix) };
}
