import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import type { Corner, Operation } from './stage.js';

const local = (corner: Corner, Driver?: string) => ({ Name: corner.name, ...(Driver && { Driver }) });

/** The image is whole when a container of it has the last file. */
async function whole(corner: Corner, image: string): Promise<void> {
  const { path, content } = corner.stage.witness;
  const name = `${corner.name}-look`;
  await corner.must('POST', `/containers/create?name=${name}`, {
    Image: image,
    Cmd: ['/bin/busybox', 'cat', `/${path}`],
    HostConfig: { NetworkMode: 'none' },
  });
  await corner.must('POST', `/containers/${name}/start`);
  await corner.must('POST', `/containers/${name}/wait`);
  expect((await corner.must('GET', `/containers/${name}/logs?stdout=1`)).slice(8)).toBe(content);
  await corner.must('DELETE', `/containers/${name}`);
}

/** An image that comes by one request. */
const arrival = (name: string, image: (corner: Corner) => string, act: Operation['act']): Operation => ({
  name,
  act,
  async holds(corner, done) {
    if (await corner.exists(`/images/${image(corner)}/json`)) await whole(corner, image(corner));
    else {
      expect(done).toBe(false);
      const { status, text } = await act(corner);
      expect(status, text).toBeLessThan(300);
      await whole(corner, image(corner));
    }
    await corner.must('DELETE', `/images/${image(corner)}`);
  },
});

/** Something that is there or not, by one request each. */
const thing = (
  kind: string,
  path: (corner: Corner) => string,
  make: Operation['act'],
  works?: (corner: Corner) => Promise<unknown>,
  shown = path,
): readonly Operation[] => [
  {
    name: `${kind} create`,
    act: make,
    async holds(corner, done) {
      if (!(await corner.exists(shown(corner)))) {
        expect(done).toBe(false);
        const { status, text } = await make(corner);
        expect(status, text).toBeLessThan(300);
      }
      await works?.(corner);
      await corner.must('DELETE', path(corner));
      expect(await corner.exists(shown(corner))).toBe(false);
    },
  },
  {
    name: `${kind} rm`,
    async prepare(corner) {
      const { status, text } = await make(corner);
      expect(status, text).toBeLessThan(300);
    },
    act: (corner) => corner.ask('DELETE', path(corner)),
    async holds(corner, done) {
      if (!(await corner.exists(shown(corner)))) return;
      expect(done).toBe(false);
      await works?.(corner);
      await corner.must('DELETE', path(corner));
    },
  },
];

/** A container with it, and its use. */
async function used(corner: Corner, host: object): Promise<void> {
  await corner.container({ host });
  expect(await corner.exec(corner.name, 'echo', 'hi')).toBe('hi');
  await corner.must('DELETE', `/containers/${corner.name}?force=1`);
}

const network = (corner: Corner, Driver: string) =>
  corner.ask('POST', '/networks/create', { Name: corner.name, Driver });
const volume = (corner: Corner, driver?: string) => corner.ask('POST', '/volumes/create', local(corner, driver));
const mountsIt = (corner: Corner) => used(corner, { Binds: [`${corner.name}:/d`] });
const joinsIt = (corner: Corner) => used(corner, { NetworkMode: corner.name });

/** The networks that the container says it is on, and whether the network says so, too. */
async function isOn(corner: Corner): Promise<boolean> {
  const { Id, NetworkSettings } = await corner.read<{ Id: string; NetworkSettings: { Networks: object } }>(
    `/containers/${corner.name}/json`,
  );
  const inside = `net-${corner.name}` in NetworkSettings.Networks;
  await expect
    .poll(async () => Id in (await corner.read<{ Containers: object }>(`/networks/net-${corner.name}`)).Containers)
    .toBe(inside);
  return inside;
}

const moves = (kind: string, driver: (corner: Corner) => string): readonly Operation[] =>
  ['connect', 'disconnect'].map((way) => ({
    name: `network ${way}, ${kind}`,
    async prepare(corner) {
      const Name = `net-${corner.name}`;
      await corner.must('POST', '/networks/create', { Name, Driver: driver(corner) });
      await corner.container({ host: { NetworkMode: 'bridge' } });
      if (way === 'disconnect') await corner.must('POST', `/networks/${Name}/connect`, { Container: corner.name });
    },
    act: (corner) => corner.ask('POST', `/networks/net-${corner.name}/${way}`, { Container: corner.name }),
    async holds(corner, done) {
      if (done) expect(await isOn(corner)).toBe(way === 'connect');
      // A request without an answer may have succeeded, or be settled in the background: a user would ask again.
      else await corner.ask('POST', `/networks/net-${corner.name}/disconnect`, { Container: corner.name });
      if (!done) await expect.poll(() => isOn(corner)).toBe(false);
      const other = (await isOn(corner)) ? 'disconnect' : 'connect';
      await corner.must('POST', `/networks/net-${corner.name}/${other}`, { Container: corner.name });
      expect(await isOn(corner)).toBe(other === 'connect');
      expect(await corner.exec(corner.name, 'echo', 'hi')).toBe('hi');
    },
  }));

export const otherOperations: readonly Operation[] = [
  arrival(
    'image load',
    () => 'loaded:1',
    (corner) => corner.ask('POST', '/images/load', corner.stage.archive),
  ),
  arrival(
    'image pull',
    (corner) => corner.stage.remote,
    (corner) => corner.ask('POST', `/images/create?fromImage=${corner.stage.remote}`),
  ),
  arrival(
    'image import',
    (corner) => `${corner.name}:1`,
    (corner) => corner.ask('POST', `/images/create?fromSrc=-&repo=${corner.name}&tag=1`, corner.stage.tree),
  ),
  {
    name: 'commit',
    async prepare(corner) {
      await corner.container();
      await corner.must('PUT', `/containers/${corner.name}/archive?path=/`, corner.stage.tree);
    },
    act: (corner) => corner.ask('POST', `/commit?container=${corner.name}&repo=${corner.name}&tag=1`),
    async holds(corner, done) {
      expect((await corner.state()).State.Status).toBe('running');
      expect(await corner.exec(corner.name, 'echo', 'hi')).toBe('hi');
      const image = `${corner.name}:1`;
      if (await corner.exists(`/images/${image}/json`)) await whole(corner, image);
      else expect(done).toBe(false);
    },
  },
  {
    name: 'image rm',
    prepare: (corner) => corner.must('POST', `/images/create?fromSrc=-&repo=${corner.name}&tag=1`, corner.stage.tree),
    act: (corner) => corner.ask('DELETE', `/images/${corner.name}:1`),
    async holds(corner, done) {
      if (!(await corner.exists(`/images/${corner.name}:1/json`))) return;
      expect(done).toBe(false);
      await whole(corner, `${corner.name}:1`);
    },
  },
  {
    name: 'image prune',
    alone: true,
    prepare: (corner) =>
      corner.must(
        'POST',
        `/images/create?fromSrc=-&repo=${corner.name}&tag=1&changes=LABEL%20swept=1`,
        corner.stage.tree,
      ),
    act: (corner) => {
      const filters = encodeURIComponent('{"dangling":["false"],"label":["swept"]}');
      return corner.ask('POST', `/images/prune?filters=${filters}`);
    },
    async holds(corner, done) {
      if (!(await corner.exists(`/images/${corner.name}:1/json`))) return;
      expect(done).toBe(false);
      await whole(corner, `${corner.name}:1`);
    },
  },
  {
    name: 'image save',
    act: (corner) => corner.ask('GET', '/images/busybox/get'),
    async holds() {},
  },
  ...thing(
    'tag',
    (corner) => `/images/${corner.name}:1`,
    (corner) => corner.ask('POST', `/images/busybox/tag?repo=${corner.name}&tag=1`),
    undefined,
    (corner) => `/images/${corner.name}:1/json`,
  ),
  ...thing(
    'volume',
    (corner) => `/volumes/${corner.name}`,
    (corner) => volume(corner),
    mountsIt,
  ),
  ...thing(
    'volume of a plugin',
    (corner) => `/volumes/${corner.name}`,
    (corner) => volume(corner, corner.stage.drivers.volume),
    mountsIt,
  ),
  ...thing(
    'bridge network',
    (corner) => `/networks/${corner.name}`,
    (corner) => network(corner, 'bridge'),
    joinsIt,
  ),
  ...thing(
    'network of a plugin',
    (corner) => `/networks/${corner.name}`,
    (corner) => network(corner, corner.stage.drivers.network),
    joinsIt,
  ),
  ...moves('bridge', () => 'bridge'),
  ...moves('plugin', (corner) => corner.stage.drivers.network),
  {
    name: 'volume prune',
    alone: true,
    prepare: (corner) => volume(corner),
    act: (corner) => corner.ask('POST', `/volumes/prune?filters=${encodeURIComponent('{"all":["true"]}')}`),
    async holds(corner, done) {
      if (!(await corner.exists(`/volumes/${corner.name}`))) return;
      expect(done).toBe(false);
      const { Mountpoint } = await corner.read<{ Mountpoint: string }>(`/volumes/${corner.name}`);
      expect(existsSync(Mountpoint)).toBe(true);
    },
  },
  {
    name: 'network prune',
    alone: true,
    prepare: (corner) => network(corner, 'bridge'),
    act: (corner) => corner.ask('POST', '/networks/prune'),
    async holds(corner, done) {
      if (await corner.exists(`/networks/${corner.name}`)) expect(done).toBe(false);
    },
  },
];
