import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { ipamOption } from '@cleat/protocol/kinds/ipam';
import { netlabel } from '@cleat/protocol/kinds/network';

export type OptionMap = Readonly<Record<string, string>> | null | undefined;

/**
 * The interface of this host on which a network's DHCP server is asked: `--ipam-opt parent=`, or the one that the network
 * driver was told: macvlan's parent, or the bridge.
 * @throws InvalidParameter
 */
export function linkOf(options: OptionMap): string {
  for (const name of Object.keys(options ?? {})) {
    if (name === 'parent' || name.startsWith('io.cleat.') || name.startsWith('com.docker.')) continue;
    throw invalidParameter(`there is no option ${name} of IPAM driver dhcp: --ipam-opt takes parent=INTERFACE`);
  }
  const { driver, parent, bridge } = networkIn(options?.[ipamOption.network]);
  if (driver === 'ipvlan') {
    throw invalidParameter('a DHCP server knows hosts by their MAC address, and those of ipvlan have one in common');
  }
  if (driver === 'bridge') checkBridge(bridge, options?.parent ?? '');
  const link = options?.parent || (driver === 'bridge' ? bridge : parent);
  if (!link) throw invalidParameter('on which network is the DHCP server? Name an interface: --ipam-opt parent=eth0');
  if (!/^[\w.+=@-]{1,15}$/.test(link)) throw invalidParameter(`${JSON.stringify(link)} is no interface’s name`);
  return link;
}

/**
 * A bridge that the engine makes is on no LAN: with addresses of one, its containers would reach nobody, and the host would
 * take itself for the LAN's router.
 * @throws InvalidParameter
 */
function checkBridge(bridge: string, parent: string): void {
  const example = `-o ${netlabel.bridgeName}=${bridge || 'br0'}`;
  if (!bridge) {
    throw invalidParameter(
      `a network of driver bridge is on a LAN by a bridge that has a port there: name it, ${example}`,
    );
  }
  if (parent && parent !== bridge) {
    throw invalidParameter(
      `a network on the bridge ${bridge} has its addresses from there: leave out parent=${parent}`,
    );
  }
}

/** The network as Cleat tells of it; other engines tell nothing. */
function networkIn(text = ''): { driver: string; parent: string; bridge: string } {
  const network: unknown = text && JSON.parse(text);
  if (!isRecord(network)) return { driver: '', parent: '', bridge: '' };
  const { Driver, Options } = network;
  const { parent, [netlabel.bridgeName]: bridge } = isRecord(Options) ? Options : {};
  return { driver: String(Driver), parent: textOf(parent), bridge: textOf(bridge) };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
