import type { PortMap } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import type { PortBinding } from '@cleat/protocol/kinds/network';

const numbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };
const names: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** Reads `80/tcp`; without protocol it is TCP. @throws InvalidParameter */
export function parsePort(text: string): { Proto: number; Port: number } {
  const [port = '', protocol = 'tcp'] = text.split('/');
  const Proto = numbers[protocol.toLowerCase()];
  const Port = Number(port);
  if (Proto === undefined) throw invalidParameter(`invalid port specification: "${text}": unknown protocol`);
  if (!/^\d+$/.test(port) || Port < 1 || Port > 65535) throw invalidParameter(`invalid port specification: "${text}"`);
  return { Proto, Port };
}

/** @throws InvalidParameter `invalid port specification: "x"` */
function parseHostPort(text: string): { HostPort: number; HostPortEnd: number } {
  const match = /^(\d*)(?:-(\d+))?$/.exec(text);
  const HostPort = Number(match?.[1] || 0);
  const HostPortEnd = Number(match?.[2] ?? HostPort);
  if (!match || HostPort > 65535 || HostPortEnd > 65535 || HostPortEnd < HostPort) {
    throw invalidParameter(`invalid port specification: "${text}"`);
  }
  return { HostPort, HostPortEnd };
}

/** What a network driver is asked to publish. */
export function wishedPorts(bindings: PortMap, exposed: readonly string[], publishAll: boolean): PortBinding[] {
  const wished: PortBinding[] = [];
  for (const [port, list] of Object.entries(bindings)) {
    for (const { HostIp = '', HostPort = '' } of list ?? []) {
      wished.push(binding(port, HostIp, parseHostPort(HostPort)));
    }
  }
  if (!publishAll) return wished;
  for (const port of new Set([...exposed, ...Object.keys(bindings)])) {
    if ((bindings[port]?.length ?? 0) === 0) wished.push(binding(port, '', { HostPort: 0, HostPortEnd: 0 }));
  }
  return wished;
}

function binding(port: string, HostIP: string, range: ReturnType<typeof parseHostPort>): PortBinding {
  const { Proto, Port } = parsePort(port);
  return { Proto, IP: '', Port, HostIP, ...range };
}

/** What inspect shows: every exposed port, with its bindings or null. */
export function portMap(exposed: readonly string[], published: readonly PortBinding[]): PortMap {
  const map: PortMap = {};
  for (const text of exposed) {
    const { Proto, Port } = parsePort(text);
    map[`${Port}/${names[Proto]}`] = null;
  }
  for (const { Proto, Port, HostIP, HostPort } of published) {
    const key = `${Port}/${names[Proto] ?? Proto}`;
    map[key] = [...(map[key] ?? []), { HostIp: HostIP ?? '', HostPort: String(HostPort ?? '') }];
  }
  return map;
}
