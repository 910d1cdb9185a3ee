import type { PortMap } from '@cleat/protocol/api/container';
import { tryParseAddress } from '@cleat/protocol/cidr';
import { invalidParameter } from '@cleat/protocol/errors';
import type { PortBinding } from '@cleat/protocol/kinds/network';

const numbers: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };
const names: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** As Go's %q writes it. */
const quoted = (text: string): string =>
  JSON.stringify(text).replaceAll(/\\u00([0-9a-f]{2})/g, (_, hex: string) => `\\x${hex}`);

const invalid = (text: string) => invalidParameter(`invalid port specification: ${quoted(text)}`);

/** Reads `80/tcp`; without protocol it is TCP. @throws InvalidParameter `invalid port specification: "x"` */
export function parsePort(text: string): { Proto: number; Port: number } {
  const [port = '', protocol = 'tcp', ...more] = text.split('/');
  const Proto = numbers[protocol.toLowerCase()];
  const Port = Number(port);
  if (Proto === undefined || more.length > 0) throw invalid(text);
  if (!/^\d{1,5}$/.test(port) || Port < 1 || Port > 65535) throw invalid(port);
  return { Proto, Port };
}

/**
 * Ports that a container exposes, also as ranges (`8000-8010/tcp`); what an image exposes and is no port is left out.
 */
export function exposedPorts(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    const [, first, last, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
    const [from, to] = [Number(first), Number(last ?? first)];
    if (first === undefined || from < 1 || to > 65535) return [];
    return Array.from({ length: Math.max(to - from + 1, 0) }, (_, at) => `${from + at}/${protocol.toLowerCase()}`);
  });
}

/**
 * The ports that a client asks to expose and to publish.
 * @throws InvalidParameter in the words of moby's `daemon/container.go` (`invalid port specification: "70000"`)
 */
export function checkPorts(exposed: readonly string[], bindings: PortMap): void {
  for (const text of exposed) {
    if (exposedPorts([text]).length > 0) continue;
    parsePort(text);
    throw invalid(text);
  }
  for (const [port, list] of Object.entries(bindings)) {
    parsePort(port);
    for (const { HostIp = '', HostPort = '' } of list ?? []) {
      parseHostPort(HostPort);
      if (HostIp && !tryParseAddress(HostIp)) throw invalidParameter(`invalid IP address: ${HostIp}`);
    }
  }
}

/** @throws InvalidParameter `invalid port specification: "x"` */
function parseHostPort(text: string): { HostPort: number; HostPortEnd: number } {
  const match = /^(\d{0,5})(?:-(\d{1,5}))?$/.exec(text);
  const HostPort = Number(match?.[1] || 0);
  const HostPortEnd = Number(match?.[2] ?? HostPort);
  if (!match || HostPort > 65535 || HostPortEnd > 65535 || HostPortEnd < HostPort) throw invalid(text);
  // 0 stands for any port, and begins no range.
  if (HostPort === 0 && HostPortEnd > 0) throw invalid(text);
  return { HostPort, HostPortEnd };
}

/** The ports that a network driver is asked to publish. */
export function requestedPorts(bindings: PortMap, exposed: readonly string[], publishAll: boolean): PortBinding[] {
  const ports: PortBinding[] = [];
  for (const [port, list] of Object.entries(bindings)) {
    for (const { HostIp = '', HostPort = '' } of list ?? []) {
      ports.push(binding(port, HostIp, parseHostPort(HostPort)));
    }
  }
  if (!publishAll) return ports;
  for (const port of new Set([...exposed, ...Object.keys(bindings)])) {
    if ((bindings[port]?.length ?? 0) === 0) ports.push(binding(port, '', { HostPort: 0, HostPortEnd: 0 }));
  }
  return ports;
}

function binding(port: string, HostIP: string, range: ReturnType<typeof parseHostPort>): PortBinding {
  const { Proto, Port } = parsePort(port);
  return { Proto, IP: '', Port, HostIP, ...range };
}

/** Ports for inspect: every exposed port, with its bindings or null. */
export function portMap(exposed: readonly string[], published: readonly PortBinding[]): PortMap {
  const map: PortMap = {};
  for (const text of exposed) {
    const { Proto, Port } = parsePort(text);
    map[`${Port}/${names[Proto]}`] = null;
  }
  for (const { Proto, Port, HostIP, HostPort } of published) {
    const key = `${Port}/${names[Proto] ?? Proto}`;
    map[key] = [...(map[key] ?? []), { HostIp: HostIP ?? '', HostPort: HostPort ? String(HostPort) : '' }];
  }
  return map;
}
