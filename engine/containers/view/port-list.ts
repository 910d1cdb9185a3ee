import type { Port, PortMap } from '@cleat/protocol/api/container';

/** Published and merely exposed ports, lowest container port first. */
export function portList(ports: PortMap): Port[] {
  const list: Port[] = [];
  for (const [key, bindings] of Object.entries(ports)) {
    const [number = '0', protocol = 'tcp'] = key.split('/');
    const port = { PrivatePort: Number(number), Type: protocol };
    if (!bindings || bindings.length === 0) list.push(port);
    for (const { HostIp, HostPort } of bindings ?? []) {
      // A routed port has none on the host.
      list.push({ ...(HostIp && { IP: HostIp }), ...port, ...(HostPort && { PublicPort: Number(HostPort) }) });
    }
  }
  return list.sort((a, b) => a.PrivatePort - b.PrivatePort || (a.PublicPort ?? 0) - (b.PublicPort ?? 0));
}
