import { isIP } from 'node:net';
import { invalidParameter } from '@cleat/protocol/errors';

/**
 * The ports of a word of `EXPOSE`: `80`, `53/udp`, `8000-8010`; of `[ip:]host:container` the last part counts (moby
 * `daemon/builder/dockerfile/dispatchers.go`, parsePortSpec).
 * @throws InvalidParameter
 */
export function exposedPorts(word: string): string[] {
  const parts = word.split(':');
  const container = parts.at(-1) ?? '';
  const host = parts.at(-2) ?? '';
  const ip = parts.slice(0, -2).join(':');
  const slash = container.indexOf('/');
  const range = slash < 0 ? container : container.slice(0, slash);
  if (range === '') throw invalidParameter(`no port specified: ${word}<empty>`);
  const protocol = (slash < 0 ? '' : container.slice(slash + 1)).toLowerCase() || 'tcp';
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw invalidParameter(`invalid proto: ${protocol}`);
  if (ip !== '' && isIP(ip.replace(/^\[(.*)\]$/, '$1')) === 0) throw invalidParameter(`invalid IP address: ${ip}`);
  const [first, last] = portRange(range) ?? refuse(`invalid containerPort: ${range}`);
  if (host !== '') {
    const [from, to] = portRange(host) ?? refuse(`invalid hostPort: ${host}`);
    if (to - from !== last - first && first !== last) {
      refuse(`invalid ranges specified for container and host Ports: ${range} and ${host}`);
    }
  }
  return Array.from({ length: last - first + 1 }, (_, offset) => `${first + offset}/${protocol}`);
}

function refuse(message: string): never {
  throw invalidParameter(message);
}

function portRange(text: string): [first: number, last: number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  return match && first <= last && last <= 65535 ? [first, last] : undefined;
}
