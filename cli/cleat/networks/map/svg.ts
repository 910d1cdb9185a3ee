import { readable } from '@cleat/protocol/untrusted';
import { leftOut, moreOn } from './left-out.js';
import type { MappedContainer, MappedEndpoint, MappedNetwork, NetworkMap } from './map.js';

/** Sizes in px. */
const size = { margin: 24, ports: 230, box: 200, boxHeight: 44, column: 220, line: 14, gap: 18, character: 7.2 };
/** Lines of text beside a line that fit between two containers: one above it, one below. */
const besideLine = [-6, 15] as const;
/** Told apart in light and dark, and by people who see colours differently; names are always beside them. */
const hues = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#7f6a00', '#56a4c9', '#8a5fd0', '#a04000'];

/**
 * The map as a picture: a column for each network, a row for each container, and a dot with the addresses where one is
 * on the other. Published ports come in from the left. Whatever containers and networks are called is only text in it.
 * Below is said what a choice of networks leaves out.
 */
export function svg(map: NetworkMap): string {
  const { networks, containers, only } = map;
  const left = size.margin + size.ports;
  const firstColumn = left + size.box + size.gap + size.column / 2;
  const xOf = (index: number) => firstColumn + index * size.column;
  const head = 50 + size.line * Math.max(0, ...networks.map((network) => linesOf(network, only).length));
  const top = size.margin + head + size.gap;
  const yOf = (index: number) => top + index * (size.boxHeight + size.gap) + size.boxHeight / 2;
  const width = firstColumn + Math.max(1, networks.length) * size.column - size.column / 2 + size.margin;
  const missing = leftOut(map);
  const bottom = top + Math.max(1, containers.length) * (size.boxHeight + size.gap);
  const height = bottom + size.margin + missing.length * size.line;
  const columnOf = new Map(networks.map(({ id }, index) => [id, index]));
  const rowOf = new Map(containers.map(({ name }, index) => [name, index]));
  const parts = [
    ...networks.map((network, index) => column(network, index, xOf(index), { head, bottom, only })),
    ...containers.flatMap((container, index) => {
      const between = ways(container, columnOf).map((one, place, { length }) => ({
        ...one,
        x: xOf(one.at),
        y: yOf(index) + apart(place, length),
      }));
      const shared = container.shares === '' ? undefined : rowOf.get(container.shares);
      return [
        ...between.map(({ endpoint, at, ...point }) =>
          way(container, endpoint, at, { from: left + size.box, ...point }),
        ),
        ...between.flatMap(({ endpoint, ...point }) => addressesOf(endpoint, point)),
        ...(shared === undefined ? [] : [sharedWay(left + size.box / 2, yOf(shared), yOf(index))]),
        box(container, left, yOf(index)),
      ];
    }),
    ...(containers.length === 0 ? [label(left, yOf(0), 'no container is on a network', 'small')] : []),
    ...missing.map((said, index) =>
      label(size.margin, bottom + size.margin + index * size.line, cut(said, width - 2 * size.margin), 'small'),
    ),
  ];
  const [w, h] = [Math.round(width), Math.round(height)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="img">`,
    '<title>Networks and their containers</title>',
    style,
    `<rect class="paper" width="${w}" height="${h}"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

const style = `<style>
text { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; fill: #1b1f24; }
.small { font-size: 11px; fill: #57606a; paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
.box ~ .small { stroke: none; }
.strong { font-weight: bold; }
.paper { fill: #ffffff; }
.box { fill: #f6f8fa; stroke: #57606a; }
.stopped { stroke-dasharray: 4 3; opacity: 0.6; }
.port, .shared { stroke: #57606a; fill: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .small { fill: #9da7b3; stroke: #0d1117; }
  .paper { fill: #0d1117; }
  .box { fill: #161b22; stroke: #9da7b3; }
  .port, .shared { stroke: #9da7b3; }
}
</style>`;

/** Its subnets with their gateways, a line each, and what is not shown. */
function linesOf(network: MappedNetwork, only: readonly string[]): string[] {
  const more = moreOn(network, only);
  return [
    ...network.subnets.flatMap(({ subnet, gateway }) => (gateway ? [subnet, `gateway ${gateway}`] : [subnet])),
    ...(more ? [more] : []),
  ];
}

function column(
  network: MappedNetwork,
  index: number,
  x: number,
  { head, bottom, only }: { head: number; bottom: number; only: readonly string[] },
): string {
  const { name, driver, internal } = network;
  const hue = hues[index % hues.length];
  const [room, start] = [size.column - 12, x - size.column / 2 + 6];
  const lines = linesOf(network, only);
  return [
    '<g>',
    `<title>${escaped([name, driver, ...lines].join('\n'))}</title>`,
    `<rect class="box" x="${start}" y="${size.margin}" width="${room}" height="${head}" rx="6"/>`,
    `<rect x="${start}" y="${size.margin}" width="${room}" height="5" rx="2" fill="${hue}"/>`,
    label(x, size.margin + 24, cut(name, room), 'strong', 'middle'),
    label(x, size.margin + 40, cut(internal ? `${driver}, internal` : driver, room), 'small', 'middle'),
    ...lines.map((line, row) => label(x, size.margin + 56 + row * size.line, cut(line, room), 'small', 'middle')),
    `<line x1="${x}" y1="${size.margin + head}" x2="${x}" y2="${bottom}" stroke="${hue}" stroke-width="3"/>`,
    '</g>',
  ].join('\n');
}

/** Its endpoints with the columns of their networks, the furthest first: the lines to nearer ones run below. */
function ways({ endpoints }: MappedContainer, columnOf: ReadonlyMap<string, number>) {
  const known = endpoints.flatMap((endpoint) => {
    const at = columnOf.get(endpoint.network);
    return at === undefined ? [] : [{ endpoint, at }];
  });
  return known.toSorted((one, other) => other.at - one.at);
}

/** How far from the middle of the box the lines of several networks leave it. */
function apart(place: number, count: number): number {
  const step = Math.min(8, (size.boxHeight - 16) / Math.max(1, count - 1));
  return (place - (count - 1) / 2) * step;
}

function way(
  { running }: MappedContainer,
  endpoint: MappedEndpoint,
  index: number,
  { from, x, y }: { from: number; x: number; y: number },
): string {
  const hue = hues[index % hues.length];
  return [
    `<g class="${running ? 'way' : 'way stopped'}">`,
    `<title>${escaped([...endpoint.addresses, endpoint.mac].filter(Boolean).join('\n') || 'no address')}</title>`,
    `<line x1="${from}" y1="${y}" x2="${x}" y2="${y}" stroke="${hue}" stroke-width="2"/>`,
    `<circle cx="${x}" cy="${y}" r="6" fill="${hue}"/>`,
    '</g>',
  ].join('\n');
}

/** Drawn after all lines, on paper of its own: lines to further networks end before it and go on behind it. */
function addressesOf({ addresses }: MappedEndpoint, { x, y }: { x: number; y: number }): string[] {
  return besideLine.flatMap((below, row) => {
    const address = addresses[row];
    if (!address) return [];
    const said = cut(address, size.column - 16);
    const paper = `<rect class="paper" x="${x + 8}" y="${y + below - 10}" width="${Math.ceil(said.length * 6.7) + 2}" height="13"/>`;
    return [paper, label(x + 9, y + below, said, 'small')];
  });
}

/** From the container whose network it is to the one that shares it. */
function sharedWay(x: number, owner: number, y: number): string {
  return `<line class="shared" x1="${x}" y1="${owner}" x2="${x}" y2="${y}" stroke-dasharray="2 3"/>`;
}

function box({ name, image, ports, running, shares }: MappedContainer, x: number, y: number): string {
  const room = size.box - 16;
  const under = shares ? `in the network of ${shares}` : image;
  return [
    `<g class="${running ? 'container' : 'container stopped'}">`,
    `<title>${escaped([name, image, ...ports].join('\n'))}</title>`,
    `<rect class="box" x="${x}" y="${y - size.boxHeight / 2}" width="${size.box}" height="${size.boxHeight}" rx="6"/>`,
    label(x + 8, y - 4, cut(name, room), 'strong'),
    label(x + 8, y + 13, cut(under, room), 'small'),
    ...entrance(ports, x, y),
    '</g>',
  ].join('\n');
}

function entrance(ports: readonly string[], x: number, y: number): string[] {
  const [first, second, ...more] = ports;
  if (first === undefined) return [];
  const last = more.length === 0 ? (second ?? '') : `and ${more.length + 1} more`;
  const [above, below] = besideLine;
  return [
    label(size.margin, y + above, cut(first, size.ports - 16), 'small'),
    ...(last ? [label(size.margin, y + below, cut(last, size.ports - 16), 'small')] : []),
    `<path class="port" d="M${size.margin} ${y} H${x - 2} m-7 -4 l7 4 l-7 4"/>`,
  ];
}

function label(x: number, y: number, said: string, kind: string, anchor = 'start'): string {
  return `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${escaped(said)}</text>`;
}

/** As much of it as fits; the rest is in the title. */
function cut(said: string, room: number): string {
  const longest = Math.max(1, Math.floor(room / size.character));
  const characters = [...readable(said)];
  return characters.length <= longest ? characters.join('') : `${characters.slice(0, longest - 1).join('')}…`;
}

function escaped(said: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return readable(said).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}
