import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../process/run.js';
import { linkState } from '../syscall/route-links.js';
import { type LinkChange, LinkChanges } from './link-changes.js';
import { HostLinks } from './links.js';

const suffix = randomBytes(3).toString('hex');
const [bridge, outer, inner] = [`tc${suffix}`, `tc${suffix}a`, `tc${suffix}b`];
let links: HostLinks;
let changes: LinkChanges;
/** Others use this host, too. */
const own = (told: readonly LinkChange[] | undefined) =>
  told && [...new Set(told.map(({ name }) => name))].filter((name) => name.startsWith(bridge)).sort();

beforeEach(async () => {
  links = new HostLinks();
  changes = new LinkChanges();
  await links.run([
    `link add ${bridge} type bridge`,
    `link add ${outer} type veth peer name ${inner}`,
    `link set ${outer} master ${bridge} up`,
  ]);
});
afterEach(async () => {
  changes.close();
  for (const name of [outer, bridge]) await links.remove(name);
  links.close();
});

test('interfaces that others change are told, and how they are by then', async () => {
  expect(changes.take()).toBeUndefined();
  expect(own(changes.take())).toEqual([]);
  const { index = 0 } = linkState(bridge) ?? {};
  expect(linkState(outer)).toEqual({
    index: expect.any(Number),
    up: true,
    master: index,
    alias: '',
    hairpin: false,
    isolated: false,
  });
  for (const [change, state] of [
    ['down', { up: false, master: index }],
    ['up', { up: true, master: index }],
    ['type bridge_slave hairpin on', { hairpin: true, isolated: false }],
    ['type bridge_slave isolated on', { hairpin: true, isolated: true }],
    ['nomaster', { up: true, master: 0 }],
  ] as const) {
    await links.run([`link set ${outer} ${change}`]);
    expect({ change, told: own(changes.take())?.includes(outer) }).toEqual({ change, told: true });
    expect(linkState(outer)).toMatchObject(state);
  }
  expect(own(changes.take())).toEqual([]);
  await links.remove(outer);
  expect(own(changes.take())).toContain(outer);
  expect(linkState(outer)).toBeUndefined();
});

test('an interface keeps its number when it is renamed; it is gone when it is removed, not when it leaves its bridge', async () => {
  changes.take();
  const { index = 0 } = linkState(outer) ?? {};
  const told = () => (changes.take() ?? []).filter((change) => change.index === index);
  await links.run([`link set ${outer} nomaster`]);
  expect(told().filter(({ name, gone }) => gone || name !== outer)).toEqual([]);
  const renamed = `${outer}x`;
  await links.run([`link set ${outer} down name ${renamed}`]);
  expect(told().at(-1)).toEqual({ index, name: renamed, gone: false });
  await links.run([`link set ${renamed} name ${outer}`, `link set ${outer} up`]);
  expect(told().at(-1)).toEqual({ index, name: outer, gone: false });
  await links.remove(outer);
  expect(told().at(-1)).toEqual({ index, name: outer, gone: true });
});

test('where more change than the kernel keeps, any may have changed', async () => {
  changes.take();
  const input = Array.from({ length: 3_000 }, (_, n) => `link set ${outer} alias a${n}\n`).join('');
  expect(await run('ip', ['-batch', '-'], { input })).toMatchObject({ code: 0 });
  expect(changes.take()).toBeUndefined();
  await links.run([`link set ${bridge} up`]);
  expect(own(changes.take())).toContain(bridge);
});
