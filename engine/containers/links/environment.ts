import type { Context } from '../context.js';
import type { Container } from '../state/container.js';

/** Variables about the containers that this one is linked to (moby `daemon/links/links.go`). */
export function linkEnvironment(context: Pick<Context, 'networks' | 'registry'>, { record }: Container): string[] {
  return (record.links ?? []).flatMap(({ containerId, alias }) => {
    const target = context.registry.find(containerId);
    const address = context.networks.settings(containerId).networks[context.networks.defaultNetwork]?.IPAddress;
    if (!target?.running || !address) return [];
    const { Env, ExposedPorts } = target.record.config;
    return describeLink({
      name: `/${record.name}/${alias}`,
      alias,
      address,
      env: Env ?? [],
      ports: Object.keys(ExposedPorts ?? {}),
    });
  });
}

interface Described {
  /** `/container/alias` */
  name: string;
  alias: string;
  address: string;
  /** Environment of the target. */
  env: readonly string[];
  /** `80/tcp` */
  ports: readonly string[];
}

interface ExposedPort {
  number: number;
  protocol: string;
}

export function describeLink({ name, alias, address, env, ports }: Described): string[] {
  const prefix = alias.toUpperCase().replaceAll('-', '_');
  const url = ({ number, protocol }: ExposedPort) => `${protocol}://${address}:${number}`;
  const portPrefix = ({ number, protocol }: ExposedPort) => `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
  const sorted = ports.map(parsePort).sort(tcpFirst);
  const lines: string[] = [];
  const [first] = sorted;
  if (first) lines.push(`${prefix}_PORT=${url(first)}`);
  for (const port of sorted) {
    const key = portPrefix(port);
    lines.push(
      `${key}=${url(port)}`,
      `${key}_ADDR=${address}`,
      `${key}_PORT=${port.number}`,
      `${key}_PROTO=${port.protocol}`,
    );
  }
  for (const [start, end] of ranges(sorted)) {
    const key = portPrefix(start);
    lines.push(`${key}_START=${url(start)}`, `${key}_PORT_START=${start.number}`);
    lines.push(`${key}_END=${url(end)}`, `${key}_PORT_END=${end.number}`);
  }
  lines.push(`${prefix}_NAME=${name}`);
  for (const entry of env) {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(entry) ?? [];
    // Every image has these two; they say nothing of the one that is linked to.
    if (key !== undefined && key !== 'HOME' && key !== 'PATH') lines.push(`${prefix}_ENV_${key}=${value}`);
  }
  return lines;
}

function parsePort(text: string): ExposedPort {
  const [number = '', protocol = 'tcp'] = text.split('/');
  return { number: Number(number), protocol };
}

function tcpFirst(a: ExposedPort, b: ExposedPort): number {
  if (a.protocol === b.protocol) return a.number - b.number;
  if (a.protocol === 'tcp') return -1;
  if (b.protocol === 'tcp') return 1;
  return a.protocol < b.protocol ? -1 : 1;
}

/** First and last port of each run of two or more. */
function ranges(sorted: readonly ExposedPort[]): [ExposedPort, ExposedPort][] {
  const found: [ExposedPort, ExposedPort][] = [];
  for (const port of sorted) {
    const last = found.at(-1);
    if (last && last[1].protocol === port.protocol && last[1].number + 1 === port.number) last[1] = port;
    else found.push([port, port]);
  }
  return found.filter(([start, end]) => start !== end);
}
