import { plain } from '../../columns.js';
import { leftOut, moreOn } from './left-out.js';
import type { MappedContainer, MappedNetwork, NetworkMap } from './map.js';

/** A longer cell, such as many ports, pushes aside only what follows it in its own line. */
const widestColumn = 60;

/**
 * A tree for each network. A container that is on several is in each of them, and says so; what a choice of networks
 * leaves out is counted.
 */
export function text(map: NetworkMap): string {
  const trees = map.networks.map((network) => tree(head(network), members(map, network), moreOn(network, map.only)));
  const alone = map.containers.filter(({ endpoints, shares }) => endpoints.length === 0 && !shares);
  if (alone.length > 0)
    trees.push(
      tree(
        'on no network',
        alone.map(({ name }) => [name]),
      ),
    );
  const missing = leftOut(map);
  if (missing.length > 0) trees.push(`${plain(missing.join(' '))}\n`);
  return trees.length === 0 ? 'No networks.\n' : trees.join('\n');
}

function head({ name, driver, internal, subnets }: MappedNetwork): string {
  const ranges = subnets.map(({ subnet, gateway }) => (gateway ? `${subnet} (gateway ${gateway})` : subnet));
  return [name, internal ? `${driver}, internal` : driver, ...ranges].map(plain).join('  ');
}

/** Lines of cells: name, addresses, ports, and what else is to be said. */
function members({ networks, containers }: NetworkMap, network: MappedNetwork): string[][] {
  const nameOf = (id: string) => networks.find((one) => one.id === id)?.name ?? id.slice(0, 12);
  return containers.flatMap((container) => {
    const { name, endpoints, ports, running } = container;
    const here = endpoints.find((one) => one.network === network.id);
    if (!here) return [];
    const others = endpoints.filter((one) => one !== here).map((one) => nameOf(one.network));
    const more = [
      ...(running ? [] : ['not running']),
      ...(others.length > 0 ? [`also on ${others.join(', ')}`] : []),
      ...sharing(containers, container),
    ];
    return [[name, here.addresses.join(' '), ports.join(' '), more.join('; ')]];
  });
}

function sharing(containers: readonly MappedContainer[], { name }: MappedContainer): string[] {
  const names = containers.filter(({ shares }) => shares === name).map((one) => one.name);
  return names.length > 0 ? [`shared by ${names.join(', ')}`] : [];
}

/** @param last a line of its own below the rows; empty: none */
function tree(first: string, rows: readonly (readonly string[])[], last = ''): string {
  const cells = rows.map((row) => row.map(plain));
  const widths = [0, 1, 2, 3].map((column) =>
    Math.min(widestColumn, Math.max(0, ...cells.map((row) => row[column]?.length ?? 0))),
  );
  const said = cells.map((row) =>
    row.flatMap((cell, column) => (widths[column] ? [cell.padEnd(widths[column])] : [])).join('  '),
  );
  if (last) said.push(plain(last));
  const lines = said.map((line, index) => `${index === said.length - 1 ? '└─' : '├─'} ${line}`.trimEnd());
  return `${[first, ...lines].join('\n')}\n`;
}
