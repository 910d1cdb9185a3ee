import { setInterfaceSysctl } from '@cleat/linux/net/sysctls';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import { netlabel } from '@cleat/protocol/kinds/network';
import { isInterfaceName } from './answers.js';
import type { EndpointRecord } from './record.js';

/* Options of an endpoint that the engine heeds for every driver (moby `libnetwork/netlabel`). */

/** As the CLI writes it, too: it turns keys and values into lower case. */
const sysctl = /^net\.(ipv4|ipv6|mpls)\.[\w-]+\.(IFNAME|ifname)\.[\w-]+=/;

/** @returns what is wrong with them, in Docker's words */
export function complaintsAbout({ DriverOpts }: EndpointSettings): string[] {
  const complaints = sysctlsIn(DriverOpts)
    .filter((setting) => !sysctl.test(setting))
    .map(
      (setting) =>
        `unrecognised network interface sysctl '${setting}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    );
  const name = DriverOpts?.[netlabel.endpointIfname];
  if (name && !isInterfaceName(name)) complaints.push(`invalid interface name: ${name}`);
  return complaints;
}

/** An interface without IPv6 gets no address of that family. */
export const switchesIPv6Off = ({ DriverOpts }: EndpointSettings): boolean =>
  sysctlsIn(DriverOpts).some((setting) => /^net\.ipv6\.conf\.(IFNAME|ifname)\.disable_ipv6=1$/.test(setting));

/** The name that its user wants for the interface inside; empty: whatever comes. */
export const wantedName = ({ DriverOpts }: EndpointSettings): string => DriverOpts?.[netlabel.endpointIfname] ?? '';

/** Sets the sysctls of an interface that is in its place, under its name. @throws InvalidParameter */
export async function setSysctls(path: string, { dstName, requested }: EndpointRecord): Promise<void> {
  for (const setting of sysctlsIn(requested.DriverOpts)) {
    const at = setting.indexOf('=');
    await setInterfaceSysctl(path, dstName, setting.slice(0, at), setting.slice(at + 1));
  }
}

function sysctlsIn(options: EndpointSettings['DriverOpts']): string[] {
  const given = options?.[netlabel.endpointSysctls];
  return given === undefined ? [] : given.split(',');
}
