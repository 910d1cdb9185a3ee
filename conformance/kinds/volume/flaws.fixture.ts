import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Flaw, raceMs } from '../../testing/test-plugin.fixture.js';
import type { HealthyVolumes, State } from './healthy.fixture.js';

/** A plugin that writes its list a moment after it read it. */
async function late(healthy: HealthyVolumes, name: string): Promise<void> {
  const before = healthy.state;
  await pause(raceMs);
  write(healthy, { [name]: [], ...before });
}

const write = (healthy: HealthyVolumes, state: State): void =>
  writeFileSync(join(healthy.root, 'state.json'), JSON.stringify(state));

/** Volume plugins that are broken in one way each: at least one for every case. */
export function volumeFlaws(): Flaw<HealthyVolumes>[] {
  const counts = new Map<string, number>();
  let remembered: State = {};
  let mounts = 0;

  return [
    {
      finds: 'volume/list',
      about: 'lists volumes without names',
      handlers: () => ({ List: () => ({ Volumes: [{ Name: '' }] }) }),
    },
    {
      finds: 'volume/list-and-get-agree',
      about: 'lists what Get does not find',
      handlers: () => ({ List: () => ({ Volumes: [{ Name: 'ghost' }] }) }),
    },
    {
      finds: 'volume/get-unknown',
      about: 'finds everything',
      handlers: () => ({ Get: ({ Name }) => ({ Volume: { Name } }) }),
    },
    {
      finds: 'volume/errors-are-readable',
      about: 'has a formatting mistake in its error',
      handlers: () => ({
        Mount() {
          throw new Error('exit status 1%!(EXTRA string=oops)');
        },
      }),
    },
    {
      finds: 'volume/scope',
      about: 'has a scope of its own',
      handlers: () => ({ Capabilities: () => ({ Capabilities: { Scope: 'galaxy' } }) }),
    },
    {
      finds: 'volume/created-at',
      about: 'says yesterday',
      handlers: () => ({ List: () => ({ Volumes: [{ Name: 'v', CreatedAt: 'yesterday' }] }) }),
    },
    {
      finds: 'volume/mountpoints-absolute',
      about: 'answers relative paths',
      handlers: () => ({ List: () => ({ Volumes: [{ Name: 'v', Mountpoint: 'data/v' }] }) }),
    },
    { finds: 'volume/create', about: 'makes nothing', handlers: () => ({ Create: () => ({}) }) },
    {
      finds: 'volume/create-again',
      about: 'refuses what exists',
      handlers: (healthy) => ({
        Create(request, context) {
          if (healthy.state[request.Name]) throw new Error(`volume ${request.Name} exists`);
          return healthy.Create(request, context);
        },
      }),
    },
    {
      finds: 'volume/create-keeps-data',
      about: 'empties what exists',
      handlers: (healthy) => ({
        Create(request, context) {
          rmSync(healthy.data(request.Name), { recursive: true, force: true });
          return healthy.Create(request, context);
        },
      }),
    },
    {
      finds: 'volume/create-other-options-keeps-data',
      about: 'makes what exists anew for other options',
      handlers: (healthy) => ({
        Create(request, context) {
          if (request.Opts) rmSync(healthy.data(request.Name), { recursive: true, force: true });
          return healthy.Create(request, context);
        },
      }),
    },
    {
      finds: 'volume/remove-held',
      about: 'removes what a container has',
      handlers: (healthy) => ({
        Remove({ Name }) {
          const { [Name]: _gone, ...others } = healthy.state;
          write(healthy, others);
          rmSync(healthy.data(Name), { recursive: true });
        },
      }),
    },
    {
      finds: 'volume/mount-visible',
      about: 'mounts in a namespace of its own',
      command(socket, directory) {
        const program = fileURLToPath(new URL('../../testing/private-mounts.fixture.mjs', import.meta.url));
        return `exec unshare --mount --propagation private node ${program} ${socket} ${directory}`;
      },
    },
    {
      finds: 'volume/slow-mount-alone',
      about: 'has one lock for everything',
      handlers(healthy) {
        let lock: Promise<unknown> = Promise.resolve();
        const alone = <T>(work: () => T | Promise<T>): Promise<T> => {
          const mine = lock.then(work);
          lock = mine.catch(() => {});
          return mine;
        };
        return {
          Mount: (request, context) => alone(() => healthy.Mount(request, context)),
          List: (request, context) => alone(() => healthy.List(request, context)),
        };
      },
    },
    {
      finds: 'volume/options-null',
      about: 'needs options',
      handlers: (healthy) => ({
        Create(request, context) {
          if (!request.Opts) throw new Error('assignment to entry in nil map');
          return healthy.Create(request, context);
        },
      }),
    },
    {
      finds: 'volume/create-empty',
      about: 'takes an empty body for nothing to do',
      handlers: (healthy) => ({
        Create: (request, context) => (request.Name === '' ? {} : healthy.Create(request, context)),
      }),
    },
    { finds: 'volume/remove', about: 'removes nothing', handlers: () => ({ Remove: () => {} }) },
    {
      finds: 'volume/remove-unknown',
      about: 'removes everything when it does not find one',
      handlers: (healthy) => ({
        Remove(request, context) {
          if (!healthy.state[request.Name]) write(healthy, {});
          else return healthy.Remove(request, context);
        },
      }),
    },
    {
      finds: 'volume/create-at-once',
      about: 'loses what is made at the same time',
      handlers: (healthy) => ({
        async Create({ Name }) {
          mkdirSync(healthy.data(Name), { recursive: true });
          await late(healthy, Name);
        },
      }),
    },
    {
      finds: 'volume/create-same-at-once',
      about: 'refuses the second who makes the same',
      handlers: (healthy) => ({
        async Create(request, context) {
          const existed = healthy.state[request.Name] !== undefined;
          await pause(raceMs, undefined, { signal: context.signal });
          if (!existed && healthy.state[request.Name]) throw new Error('somebody else was faster');
          return healthy.Create(request, context);
        },
      }),
    },
    {
      finds: 'volume/names-stay-inside',
      about: 'takes any name for a path',
      handlers: (healthy) => ({
        Create({ Name }) {
          write(healthy, { [Name]: [], ...healthy.state });
        },
        Remove({ Name }) {
          const { [Name]: _gone, ...others } = healthy.state;
          write(healthy, others);
        },
      }),
    },
    {
      finds: 'volume/create-answers',
      about: 'declares what it does not keep',
      handlers: (healthy) => ({
        async Create(request, context) {
          await healthy.Create(request, context);
        },
      }),
    },
    {
      finds: 'volume/mount',
      about: 'names a directory that is not there',
      handlers: () => ({ Mount: () => ({ Mountpoint: '/no/such/directory' }) }),
    },
    {
      finds: 'volume/path-while-mounted',
      about: 'names another path',
      handlers: () => ({ Path: () => ({ Mountpoint: '/elsewhere' }) }),
    },
    {
      finds: 'volume/keeps-data',
      about: 'empties a volume that nobody uses',
      handlers: (healthy) => ({
        async Unmount(request, context) {
          await healthy.Unmount(request, context);
          rmSync(healthy.data(request.Name), { recursive: true });
          mkdirSync(healthy.data(request.Name));
        },
      }),
    },
    {
      finds: 'volume/two-containers',
      about: 'unmounts for everybody',
      handlers: (healthy) => ({ Unmount: ({ Name }) => healthy.unlink(Name) }),
    },
    {
      finds: 'volume/unmount-repeated',
      about: 'counts',
      handlers: counting,
    },
    {
      finds: 'volume/unmount-too-many',
      about: 'counts below zero, and mounts for the first only',
      handlers: (healthy) => ({
        ...counting(healthy),
        Mount({ Name }) {
          healthy.holders(Name);
          const users = (counts.get(Name) ?? 0) + 1;
          counts.set(Name, users);
          if (users === 1) healthy.link(Name);
          return { Mountpoint: healthy.mountpoint(Name) };
        },
      }),
    },
    {
      finds: 'volume/unmount-unknown-id',
      about: 'counts, and does not look at IDs',
      handlers: counting,
    },
    {
      finds: 'volume/mount-repeated',
      about: 'refuses an ID that it knows',
      handlers: (healthy) => ({
        Mount(request, context) {
          if (healthy.holders(request.Name).includes(request.ID)) throw new Error('it is mounted by this ID');
          return healthy.Mount(request, context);
        },
      }),
    },
    {
      finds: 'volume/unmount-after-failed-mount',
      about: 'makes a volume of what it is to unmount',
      handlers: (healthy) => ({
        Unmount(request, context) {
          if (healthy.state[request.Name]) return healthy.Unmount(request, context);
          write(healthy, { ...healthy.state, [request.Name]: [] });
        },
      }),
    },
    {
      finds: 'volume/mount-at-once',
      about: 'forgets who mounts at the same time',
      handlers: (healthy) => ({
        async Mount({ Name, ID }) {
          const before = healthy.holders(Name);
          mounts++;
          await pause(raceMs);
          write(healthy, { ...healthy.state, [Name]: mounts === 1 ? [...before, ID] : before });
          healthy.link(Name);
          return { Mountpoint: healthy.mountpoint(Name) };
        },
      }),
    },
    {
      finds: 'volume/mount-hang-up',
      about: 'holds for ever what it mounted for somebody who left',
      handlers: (healthy) => ({
        async Mount(request, context) {
          await pause(30);
          // Its Unmount came, and went, meanwhile.
          return healthy.Mount(request, context);
        },
      }),
    },
    {
      finds: 'volume/mount-unknown-members',
      about: 'takes what it does not know for a mistake',
      async http(request, response, answer) {
        request.on('data', (chunk: Buffer) => {
          if (chunk.includes('NextVersion')) response.destroy();
        });
        await answer(request, response);
      },
    },
    {
      finds: 'volume/context',
      about: 'mounts only for containers without a name',
      handlers: (healthy) => ({
        Mount(request, context) {
          if (request.Context) throw new Error(`what is ${request.Context.Container.Name}?`);
          return healthy.Mount(request, context);
        },
      }),
    },
    {
      finds: 'volume/crash-keeps-volumes',
      about: 'begins anew',
      handlers(healthy) {
        write(healthy, {});
        return {};
      },
    },
    {
      finds: 'volume/crash-keeps-removals',
      about: 'remembers what was removed',
      handlers(healthy) {
        write(healthy, { ...remembered, ...healthy.state });
        return {
          async Create(request, context) {
            const answer = await healthy.Create(request, context);
            remembered = { ...remembered, [request.Name]: [] };
            return answer;
          },
        };
      },
    },
    {
      finds: 'volume/crash-while-mounted',
      about: 'begins with nobody who holds a mount',
      handlers(healthy) {
        const mine = new Set<string>();
        return {
          Mount(request, context) {
            mine.add(request.ID);
            return healthy.Mount(request, context);
          },
          Unmount(request, context) {
            if (!mine.has(request.ID)) throw new Error(`${request.ID} is not mounted`);
            return healthy.Unmount(request, context);
          },
        };
      },
    },
    {
      finds: 'volume/crash-in-a-create',
      about: 'makes the directory first, and refuses to make what it finds',
      handlers: (healthy) => ({
        async Create({ Name }, { signal }) {
          mkdirSync(healthy.data(Name));
          await pause(10, undefined, { signal });
          write(healthy, { ...healthy.state, [Name]: [] });
        },
      }),
    },
  ];

  /** As many as do not know better. */
  function counting(healthy: HealthyVolumes): Partial<HealthyVolumes> {
    const add = (name: string, by: number) => counts.set(name, (counts.get(name) ?? 0) + by).get(name) ?? 0;
    return {
      Mount({ Name }) {
        healthy.holders(Name);
        add(Name, 1);
        healthy.link(Name);
        return { Mountpoint: healthy.mountpoint(Name) };
      },
      Unmount({ Name }) {
        if (add(Name, -1) === 0) healthy.unlink(Name);
      },
    };
  }
}
