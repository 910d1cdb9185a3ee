import { dirname, resolve } from 'node:path';
import { methodPath } from '@cleat/protocol/kinds/kind';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { cases, type Need } from '../../verify/case.js';
import { Inapplicable } from '../../verify/trial.js';
import {
  capabilities,
  found,
  known,
  listed,
  made,
  mounted,
  options,
  reads,
  removedAtTheEnd,
  unmounted,
  type VolumeTrial,
  writes,
} from './steps.js';

const needs: readonly Need[] = ['changes'];

/** Create and Remove. */
export const making = cases(
  volumeKind,
  {
    id: 'volume/create',
    title: 'A volume that was made is found by Get and shown by List',
    why: '`docker volume create` says nothing when it works; what follows goes by Get and List.',
    needs,
    async run(trial) {
      const name = await made(trial);
      await found(trial, name, 'the volume that was made');
      const names = (await listed(trial)).map(({ Name }) => Name);
      trial.holds(names.includes(name), `List to show ${name}, which was made`);
    },
  },
  {
    id: 'volume/create-again',
    title: 'Create of a volume that exists succeeds, and changes nothing',
    why: 'Engines ask Get before Create, but not in one step: another engine, or another host with the same back end, may be faster, and a Create whose answer was lost is repeated. `docker run` then fails for a volume that is there.',
    weight: 'should',
    needs,
    async run(trial) {
      const name = await made(trial);
      await trial.succeeds('Create', { Name: name, Opts: options(trial) }, 'success for a volume that exists');
      const times = (await listed(trial)).filter(({ Name }) => Name === name).length;
      trial.holds(times === 1, `List to show ${name} once`);
    },
  },
  {
    id: 'volume/create-keeps-data',
    title: 'Create of a volume that exists keeps what is in it',
    why: 'The database would be empty after the second `docker compose up`.',
    needs: ['changes', 'filesystem'],
    async run(trial) {
      const name = await made(trial);
      const first = await mounted(trial, name);
      await writes(first.path, 'kept', trial.calls.at(-1));
      await unmounted(trial, name, first.id);
      await trial.ask('Create', { Name: name, Opts: options(trial) });
      const { path } = await mounted(trial, name);
      await reads(path, 'kept', 'what was written before the second Create', trial.calls.at(-1));
    },
  },
  {
    id: 'volume/create-other-options-keeps-data',
    title: 'Create of a volume that exists, with other options, keeps what is in it',
    why: 'Somebody edits the options in a Compose file and runs `up`. An engine that does not remember the volume asks Create: refusing is fine, making it anew is a lost database.',
    needs: ['changes', 'filesystem'],
    async run(trial) {
      const name = await made(trial);
      const first = await mounted(trial, name);
      await writes(first.path, 'kept', trial.calls.at(-1));
      await unmounted(trial, name, first.id);
      await trial.answers('Create', { Name: name, Opts: { ...options(trial), 'verify-other': 'option' } });
      const { path } = await mounted(trial, name);
      await reads(path, 'kept', 'what was written before the second Create', trial.calls.at(-1));
    },
  },
  {
    id: 'volume/options-null',
    title: 'Opts may be null or missing',
    why: 'dockerd sends null when the user gave no option, other engines leave it out.',
    needs,
    async run(trial) {
      if (trial.session.settings.options) throw new Inapplicable('its volumes need options, as you said');
      const [first, second] = [trial.fresh(), trial.fresh()];
      for (const name of [first, second]) removedAtTheEnd(trial, name);
      await trial.succeeds('Create', { Name: first, Opts: null }, 'a volume to be made');
      await trial.succeeds('Create', { Name: second }, 'a volume to be made');
    },
  },
  {
    id: 'volume/create-empty',
    title: 'A Create without a name is refused',
    why: 'When a connection breaks, dockerd repeats the call with an empty body, and takes success for the answer to what its user asked: `docker volume create` then succeeds, and nothing was made.',
    needs,
    async run(trial) {
      const said = await trial.send(methodPath(trial.kind, 'Create'), '');
      trial.holds(!trial.succeeded('Create', said), 'an error', said);
    },
  },
  {
    id: 'volume/remove',
    title: 'A volume that was removed is gone, and its name is free again',
    why: '`docker compose down -v` followed by `up` makes the same names again.',
    needs,
    async run(trial) {
      const name = await made(trial);
      await trial.succeeds('Remove', { Name: name }, 'the volume to be removed');
      trial.holds(!(await known(trial, name)), 'Get not to find what was removed');
      trial.holds(!(await listed(trial)).some(({ Name }) => Name === name), 'List not to show what was removed');
      await trial.succeeds('Create', { Name: name, Opts: options(trial) }, 'a volume of the same name to be made');
      await found(trial, name, 'the volume that was made again');
    },
  },
  {
    id: 'volume/remove-held',
    title: 'Remove of a volume that a container has is refused, or leaves the data to that container',
    why: 'Engines that share a back end, and one that was restored, do not know of each other’s containers: only the plugin knows who holds the volume.',
    weight: 'should',
    needs: ['changes', 'filesystem'],
    async run(trial) {
      const name = await made(trial);
      const { path } = await mounted(trial, name);
      await writes(path, 'in use', trial.calls.at(-1));
      const said = await trial.answers('Remove', { Name: name });
      await reads(path, 'in use', 'the container that has it to keep its files', said);
    },
  },
  {
    id: 'volume/remove-unknown',
    title: 'Remove of a volume that is not there does no harm',
    why: 'After a crash an engine asks for the removal of what it cannot know to be gone.',
    needs,
    async run(trial) {
      const name = await made(trial);
      const said = await trial.ask('Remove', { Name: trial.fresh() });
      trial.holds(said.failure === '', 'an answer: success, or an error', said);
      await found(trial, name, 'the other volume, untouched');
    },
  },
  {
    id: 'volume/create-at-once',
    title: 'Volumes that are made at once are all there',
    why: 'Compose makes all volumes of a project in parallel; a list that is read, changed and written without a turn loses some.',
    needs,
    async run(trial) {
      const names = Array.from({ length: 12 }, () => trial.fresh());
      for (const name of names) removedAtTheEnd(trial, name);
      const asked = names.map((Name) =>
        trial.succeeds('Create', { Name, Opts: options(trial) }, 'a volume to be made'),
      );
      await Promise.all(asked);
      const present = new Set((await listed(trial)).map(({ Name }) => Name));
      const missing = names.filter((name) => !present.has(name));
      trial.holds(
        missing.length === 0,
        `List to show all ${names.length} that were made at once`,
        undefined,
        `it lacks ${missing.join(', ')}`,
      );
    },
  },
  {
    id: 'volume/create-same-at-once',
    title: 'The same volume made several times at once is one volume',
    why: 'dockerd makes one of a name after the other; two engines, or two hosts with one back end, do not.',
    weight: 'should',
    needs,
    async run(trial) {
      const Name = trial.fresh();
      removedAtTheEnd(trial, Name);
      const asked = Array.from({ length: 8 }, () =>
        trial.succeeds('Create', { Name, Opts: options(trial) }, 'success, eight times'),
      );
      await Promise.all(asked);
      const times = (await listed(trial)).filter((volume) => volume.Name === Name).length;
      trial.holds(times === 1, `List to show ${Name} once`);
    },
  },
  {
    id: 'volume/names-stay-inside',
    title: 'A name cannot lead out of where volumes are kept',
    why: '`docker volume create -d PLUGIN ../../etc` reaches the plugin as it is: dockerd checks names for its own driver only. Everybody who may create volumes would own the host.',
    needs,
    async run(trial) {
      const inside = await made(trial);
      const own = await where(trial, inside);
      if (own === '') throw new Inapplicable('it does not say where volumes are');
      for (const evil of [`../${trial.fresh()}`, `a/../../${trial.fresh()}`]) {
        removedAtTheEnd(trial, evil);
        const said = await trial.ask('Create', { Name: evil, Opts: options(trial) });
        if (!trial.succeeded('Create', said)) continue;
        const path = await where(trial, evil);
        const outside = resolve(dirname(own), evil);
        trial.holds(
          path === '' || resolve(path) !== outside,
          `a name such as ${evil} to be refused`,
          said,
          `its volume is ${path}`,
        );
      }
    },
  },
  {
    id: 'volume/create-answers',
    title: 'A plugin that declares IdempotentCreate answers Create with the volume',
    why: 'Cleat then asks no Get; without the volume in the answer its user sees no mount point.',
    needs,
    async run(trial) {
      const { IdempotentCreate } = await capabilities(trial);
      if (!IdempotentCreate) throw new Inapplicable('it does not declare IdempotentCreate');
      const Name = trial.fresh();
      removedAtTheEnd(trial, Name);
      for (const _ of ['made', 'found']) {
        const { Volume: volume } = await trial.succeeds('Create', { Name, Opts: options(trial) }, 'success');
        trial.holds(volume != null && volume.Name === Name, 'the Volume in the answer');
      }
    },
  },
);

/** Where a volume says that it is, mounted or not. */
async function where(trial: VolumeTrial, name: string): Promise<string> {
  const said = await trial.ask('Get', { Name: name });
  const path = trial.succeeded('Get', said) ? (trial.read('Get', said).Volume?.Mountpoint ?? '') : '';
  if (path !== '') return path;
  const asked = await trial.ask('Path', { Name: name });
  return trial.succeeded('Path', asked) ? (trial.read('Path', asked).Mountpoint ?? '') : '';
}
