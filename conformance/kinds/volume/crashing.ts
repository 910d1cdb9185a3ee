import { setTimeout as pause } from 'node:timers/promises';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { cases, type Need } from '../../verify/case.js';
import { found, known, listed, made, mounted, options, reads, removedAtTheEnd, unmounted, writes } from './steps.js';

const needs: readonly Need[] = ['changes', 'restart'];

/** Cases about what a plugin knows after it was killed. */
export const crashing = cases(
  volumeKind,
  {
    id: 'volume/crash-keeps-volumes',
    title: 'Killed and started again, it knows its volumes',
    why: 'An engine does not make them anew: a volume that is forgotten is an error at the next start of its container.',
    needs,
    async run(trial) {
      const name = await made(trial);
      await trial.restart();
      await found(trial, name, 'the volume that was made before');
      const { id } = await mounted(trial, name);
      await unmounted(trial, name, id);
    },
  },
  {
    id: 'volume/crash-keeps-removals',
    title: 'Killed and started again, it does not bring back what was removed',
    why: 'A volume that comes back is in the way of the next one of its name.',
    needs,
    async run(trial) {
      const name = await made(trial);
      await trial.succeeds('Remove', { Name: name }, 'the volume to be removed');
      await trial.restart();
      const there = (await listed(trial)).some(({ Name }) => Name === name);
      trial.holds(!there, 'List not to show what was removed');
    },
  },
  {
    id: 'volume/crash-while-mounted',
    title: 'Killed while a container has a volume, it takes its Unmount afterwards, and the data is there',
    why: 'The container runs on meanwhile. Plugins that begin at zero refuse the Unmount, or unmount under the containers that are left.',
    needs: [...needs, 'filesystem'],
    async run(trial) {
      const name = await made(trial);
      const before = await mounted(trial, name);
      const staying = await mounted(trial, name);
      await writes(staying.path, 'through a crash', trial.calls.at(-1));
      await trial.restart();
      await unmounted(trial, name, before.id);
      // Mounted anew, as by a container that starts now: a plugin may have had to mount it again.
      const { path } = await mounted(trial, name);
      await reads(path, 'through a crash', 'what was written before', trial.calls.at(-1));
      await trial.ask('Unmount', { Name: name, ID: staying.id });
      await reads(path, 'through a crash', 'the container that has it now to keep its files', trial.calls.at(-1));
    },
  },
  {
    id: 'volume/crash-in-a-create',
    title: 'Killed in the middle of Create, it has each volume as a whole or not at all',
    why: 'A half-written list of volumes is a plugin that no longer starts, with all volumes of the host.',
    needs,
    async run(trial) {
      const names = Array.from({ length: 6 }, () => trial.fresh());
      for (const name of names) removedAtTheEnd(trial, name);
      for (const [at, Name] of names.entries()) {
        const asked = trial.ask('Create', { Name, Opts: options(trial) });
        await pause(at);
        await trial.kill();
        await asked;
        await trial.start();
      }
      for (const Name of names) {
        if (!(await known(trial, Name))) {
          await trial.succeeds('Create', { Name, Opts: options(trial) }, 'a volume to be made that is not there');
          await found(trial, Name, 'the volume that was made');
        }
        await trial.succeeds('Remove', { Name }, 'the volume to be removed');
      }
    },
  },
);
