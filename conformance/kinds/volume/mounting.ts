import { setTimeout as pause } from 'node:timers/promises';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { cases, type Need } from '../../verify/case.js';
import { Finding } from '../../verify/finding.js';
import { hasOurRoot, hiddenMount, processesBehind } from '../../verify/process.js';
import { Inapplicable } from '../../verify/trial.js';
import {
  capabilities,
  known,
  made,
  mounted,
  options,
  reads,
  removedAtTheEnd,
  unmounted,
  unmountedAtTheEnd,
  type VolumeTrial,
  writes,
} from './steps.js';

/** How much earlier a Mount is asked than what might have to wait for it. */
const headStartMs = 20;
/** A Mount that is quicker tells nothing of who waits for it. */
const tellingMs = 200;
const changes: readonly Need[] = ['changes'];
const files: readonly Need[] = ['changes', 'filesystem'];

/** Mount and Unmount, as engines make them. */
export const mounting = cases(
  volumeKind,
  {
    id: 'volume/mount',
    title: 'Mount answers with a directory of this host that can be written to',
    why: 'The engine binds it into the container as it is.',
    needs: files,
    async run(trial) {
      const { path } = await mounted(trial, await made(trial));
      await writes(path, 'written', trial.calls.at(-1));
    },
  },
  {
    id: 'volume/mount-visible',
    title: 'What it mounts is seen from the host, where the engine looks',
    why: 'A plugin in a mount namespace of its own (PrivateMounts= or ProtectSystem= of systemd, a container without shared propagation) mounts for itself alone: the container gets the empty directory below, and its data is gone when it stops.',
    needs: files,
    async run(trial) {
      const pids = processesBehind(trial.session.address()).filter(hasOurRoot);
      if (pids.length === 0) {
        throw new Inapplicable('it is no process of this host that can be looked at, or has a root of its own');
      }
      const { path } = await mounted(trial, await made(trial));
      for (const pid of pids) {
        const hidden = hiddenMount(pid, path);
        trial.holds(
          hidden === undefined,
          'its mounts to be seen by the engine',
          trial.calls.at(-1),
          `${hidden} is another one for the plugin (process ${pid}) than for the engine: start it in the host's mount namespace, or with shared propagation`,
        );
      }
    },
  },
  {
    id: 'volume/slow-mount-alone',
    title: 'A Mount that takes long holds up nobody who asks of another volume',
    why: 'Attaching a disk takes a minute. With one lock around everything, `docker volume ls` and every other container of the host wait for it, until their engines give up.',
    weight: 'should',
    needs: changes,
    async run(trial) {
      const [slow, other] = [await made(trial, `${trial.fresh()}-slow`), await made(trial)];
      const id = trial.freshId();
      unmountedAtTheEnd(trial, slow, id);
      const mounting = trial.ask('Mount', { Name: slow, ID: id });
      await pause(headStartMs);
      const asked = [trial.ask('List', {}), trial.ask('Get', { Name: other })];
      const { ms } = await mounting;
      const answers = await Promise.all(asked);
      if (ms < tellingMs) throw new Inapplicable('its Mount is too quick to hold up anybody');
      for (const said of answers) {
        // On a busy machine an answer may take a while; one that waited comes when the Mount is done.
        const waited = said.ms > (ms - headStartMs) * 0.8;
        const words = `it was answered after ${said.ms} ms, when the Mount of another volume was done, which took ${ms} ms`;
        trial.holds(!waited, 'an answer while the Mount of another volume is under way', said, words);
      }
    },
  },
  {
    id: 'volume/path-while-mounted',
    title: 'Path and Get name the mount point while it is mounted',
    why: '`docker inspect` and `docker cp` go by them.',
    needs: changes,
    async run(trial) {
      const name = await made(trial);
      const { path } = await mounted(trial, name);
      const { Mountpoint } = await trial.succeeds('Path', { Name: name });
      trial.holds(Mountpoint === path, `${path}, which Mount answered`);
      const { Volume: volume } = await trial.succeeds('Get', { Name: name });
      trial.holds(!volume?.Mountpoint || volume.Mountpoint === path, `${path}, which Mount answered, or nothing`);
    },
  },
  {
    id: 'volume/keeps-data',
    title: 'What was written is there at the next Mount',
    why: 'A container that is stopped and started again is what volumes are for.',
    needs: files,
    async run(trial) {
      const name = await made(trial);
      const first = await mounted(trial, name);
      await writes(first.path, 'kept', trial.calls.at(-1));
      await unmounted(trial, name, first.id);
      const { path } = await mounted(trial, name);
      await reads(path, 'kept', 'what was written before', trial.calls.at(-1));
    },
  },
  {
    id: 'volume/two-containers',
    title: 'Two containers have one volume, and the first to stop leaves it to the other',
    why: 'Engines send one Mount per container, each with an ID of its own, and one Unmount when it stops. A plugin that unmounts at the first takes the files from under the second.',
    needs: files,
    async run(trial) {
      const name = await made(trial);
      const first = await mounted(trial, name);
      const second = await mounted(trial, name);
      await writes(first.path, 'shared', trial.calls.at(-1));
      await reads(second.path, 'shared', 'both to see the same files', trial.calls.at(-1));
      await unmounted(trial, name, first.id);
      await reads(second.path, 'shared', 'the other one to keep its files', trial.calls.at(-1));
    },
  },
  {
    id: 'volume/unmount-repeated',
    title: 'An Unmount that is repeated takes nothing from another container',
    why: 'After its own restart an engine unmounts again what it does not know to be unmounted. Plugins that count up and down are then one too low, and unmount what runs.',
    needs: files,
    async run(trial) {
      const name = await made(trial);
      const first = await mounted(trial, name);
      const second = await mounted(trial, name);
      await writes(second.path, 'still here', trial.calls.at(-1));
      await unmounted(trial, name, first.id);
      const again = await trial.ask('Unmount', { Name: name, ID: first.id });
      trial.holds(again.failure === '', 'an answer: success, or an error', again);
      await reads(second.path, 'still here', 'the other one to keep its files', again);
    },
  },
  {
    id: 'volume/unmount-too-many',
    title: 'After one Unmount too many the next Mount mounts as ever',
    why: 'A plugin that counts is at minus one: the next container is given a directory that nothing is mounted on, writes beside the volume, and Remove is refused for ever.',
    needs: files,
    async run(trial) {
      const name = await made(trial);
      const { id, path } = await mounted(trial, name);
      await writes(path, 'still here', trial.calls.at(-1));
      await unmounted(trial, name, id);
      const again = await trial.ask('Unmount', { Name: name, ID: id });
      trial.holds(again.failure === '', 'an answer: success, or an error', again);
      const next = await mounted(trial, name);
      await reads(next.path, 'still here', 'the next container to have the files', trial.calls.at(-1));
      await unmounted(trial, name, next.id);
      await trial.succeeds('Remove', { Name: name }, 'the volume to be free');
    },
  },
  {
    id: 'volume/unmount-unknown-id',
    title: 'An Unmount of an ID that never mounted takes nothing from a container',
    why: 'A Mount whose answer was lost is taken back under its ID, whether it was done or not.',
    needs: files,
    async run(trial) {
      const name = await made(trial);
      const { path } = await mounted(trial, name);
      await writes(path, 'still here', trial.calls.at(-1));
      const said = await trial.ask('Unmount', { Name: name, ID: trial.freshId() });
      trial.holds(said.failure === '', 'an answer: success, or an error', said);
      await reads(path, 'still here', 'the container to keep its files', said);
    },
  },
  {
    id: 'volume/mount-repeated',
    title: 'A Mount that is repeated under its ID answers the same, and as many Unmounts end it',
    why: '`docker cp` of a container that runs makes dockerd mount its volumes once more, under the IDs that they have, and unmount them again; and a call whose connection broke before the answer is sent again. A plugin that refuses keeps the file from being copied, or the container from starting.',
    needs: changes,
    async run(trial) {
      const name = await made(trial);
      const { id, path } = await mounted(trial, name);
      const again = await trial.succeeds('Mount', { Name: name, ID: id }, 'the same answer as before');
      trial.holds(again.Mountpoint === path, `the Mountpoint ${path}, as before`);
      await unmounted(trial, name, id);
      // A plugin that keeps IDs, and does not count, no longer has such a mount.
      const second = await trial.ask('Unmount', { Name: name, ID: id });
      trial.holds(second.failure === '', 'an answer: success, or an error', second);
      await trial.succeeds('Remove', { Name: name }, 'the volume to be free');
    },
  },
  {
    id: 'volume/unmount-after-failed-mount',
    title: 'An Unmount after a Mount that failed does no harm',
    why: 'Engines take back what they asked for, also when the answer was an error.',
    needs: changes,
    async run(trial) {
      const mount = { Name: trial.fresh(), ID: trial.freshId() };
      await trial.refuses('Mount', mount, 'a volume that does not exist to be refused');
      const said = await trial.ask('Unmount', mount);
      trial.holds(said.failure === '', 'an answer: success, or an error', said);
      trial.holds(!(await known(trial, mount.Name)), 'no volume to come of it');
    },
  },
  {
    id: 'volume/mount-at-once',
    title: 'Containers that start at once get one volume, and the last of them keeps it',
    why: 'After a boot all containers start together; checks of “is it mounted?” that do not take turns mount it twice, or unmount it under the last.',
    needs: files,
    async run(trial) {
      const name = await made(trial);
      const all = await Promise.all(Array.from({ length: 8 }, () => mounted(trial, name)));
      const paths = new Set(all.map(({ path }) => path));
      trial.holds(paths.size === 1, 'the same Mountpoint for all', undefined, `they are ${[...paths].join(', ')}`);
      const [last, ...others] = all;
      if (last === undefined) throw new Error('nothing was mounted');
      await writes(last.path, 'the last', trial.calls.at(-1));
      await Promise.all(others.map(({ id }) => unmounted(trial, name, id)));
      await reads(last.path, 'the last', 'the last container to keep its files', trial.calls.at(-1));
    },
  },
  {
    id: 'volume/mount-hang-up',
    title: 'A Mount whose caller hangs up can be taken back',
    why: '`docker run` is interrupted, or the engine’s deadline passes: it then sends Unmount under the same ID, and expects the volume to be free.',
    needs: changes,
    async run(trial) {
      const name = await made(trial);
      for (const ms of [0, 1, 3, 10]) {
        const id = trial.freshId();
        unmountedAtTheEnd(trial, name, id);
        const stop = new AbortController();
        const asked = trial.ask('Mount', { Name: name, ID: id }, { signal: stop.signal });
        await pause(ms);
        stop.abort();
        await asked;
        await trial.ask('Unmount', { Name: name, ID: id });
      }
      const { id } = await mounted(trial, name);
      await unmounted(trial, name, id);
      await trial.succeeds('Remove', { Name: name }, 'the volume to be free');
    },
  },
  {
    id: 'volume/mount-unknown-members',
    title: 'Members of Mount and Create that the plugin does not know are ignored',
    why: 'Cleat tells plugins that ask for it for whom a mount is; dockerd’s next version may tell more.',
    needs: changes,
    async run(trial) {
      const name = trial.fresh();
      removedAtTheEnd(trial, name);
      const more = { Name: name, Opts: options(trial), NextVersion: { Yes: [1, null] } };
      await trial.succeeds('Create', more, 'a volume to be made');
      const ID = trial.freshId();
      unmountedAtTheEnd(trial, name, ID);
      const mount = { Name: name, ID, NextVersion: [true] };
      await trial.succeeds('Mount', mount, 'the volume to be mounted');
    },
  },
  {
    id: 'volume/context',
    title: 'A plugin that asks for the mount’s context mounts with it and without',
    why: 'A stock dockerd does not know that capability, and sends none.',
    needs: changes,
    async run(trial) {
      const { Context } = await capabilities(trial);
      if (!Context) throw new Inapplicable('it does not declare Context');
      const name = await made(trial);
      await mounted(trial, name);
      await mountedInContext(trial, name);
    },
  },
);

async function mountedInContext(trial: VolumeTrial, name: string): Promise<void> {
  const ID = trial.freshId();
  unmountedAtTheEnd(trial, name, ID);
  const Context = {
    Container: { ID: trial.freshId(), Name: 'verified', Labels: {}, User: '', UID: 0, GID: 0 },
    Destination: '/data',
    ReadOnly: false,
    Options: {},
  };
  const said = await trial.ask('Mount', { Name: name, ID, Context });
  if (!trial.succeeded('Mount', said)) throw new Finding('the volume to be mounted', said);
}
