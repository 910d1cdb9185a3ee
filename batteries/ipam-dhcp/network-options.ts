import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { ipamOption } from '@cleat/protocol/kinds/ipam';

export type OptionMap = Readonly<Record<string, string>> | null | undefined;

/**
 * The interface of this host on which a network's DHCP server is asked: `--ipam-opt parent=`, or the one that the network
 * driver was told.
 * @throws InvalidParameter
 */
export function linkOf(options: OptionMap): string {
  for (const name of Object.keys(options ?? {})) {
    if (name === 'parent' || name.startsWith('io.cleat.') || name.startsWith('com.docker.')) continue;
    throw invalidParameter(`there is no option ${name} of IPAM driver dhcp: --ipam-opt takes parent=INTERFACE`);
  }
  const { driver, parent } = networkIn(options?.[ipamOption.network]);
  if (driver === 'ipvlan') {
    throw invalidParameter('a DHCP server knows hosts by their MAC address, and those of ipvlan have one in common');
  }
  const link = options?.parent || parent;
  if (!link) throw invalidParameter('on which network is the DHCP server? Name an interface: --ipam-opt parent=eth0');
  if (!/^[\w.+=@-]{1,15}$/.test(link)) throw invalidParameter(`${JSON.stringify(link)} is no interface’s name`);
  return link;
}

/** The parent of macvlan, as Cleat tells it; other engines tell nothing. */
function networkIn(text = ''): { driver: string; parent: string } {
  const network: unknown = text && JSON.parse(text);
  if (!isRecord(network)) return { driver: '', parent: '' };
  const { Driver, Options } = network;
  const { parent } = isRecord(Options) ? Options : {};
  return { driver: String(Driver), parent: typeof parent === 'string' ? parent : '' };
}
