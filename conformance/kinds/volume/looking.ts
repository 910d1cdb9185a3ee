import { isAbsolute } from 'node:path';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { cases } from '../../verify/case.js';
import { found, listed } from './steps.js';

/** Cases that are safe for a plugin in production. */
export const looking = cases(
  volumeKind,
  {
    id: 'volume/list',
    title: 'List answers with volumes, each with a name',
    why: '`docker volume ls` asks every plugin; one that fails leaves all its volumes out.',
    async run(trial) {
      const names = (await listed(trial)).map(({ Name }) => Name);
      trial.holds(!names.includes(''), 'each volume to have a Name');
      trial.holds(new Set(names).size === names.length, 'each name once');
    },
  },
  {
    id: 'volume/list-and-get-agree',
    title: 'Get finds what List shows',
    why: '`docker volume ls` and `docker volume inspect` would contradict each other, and `docker run` goes by Get.',
    async run(trial) {
      for (const { Name } of (await listed(trial)).slice(0, 20)) {
        await found(trial, Name, `${Name}, which List shows`);
      }
    },
  },
  {
    id: 'volume/get-unknown',
    title: 'Get of a volume that is not there finds none',
    why: 'dockerd asks Get before Create: a volume that is “found” is never made.',
    async run(trial) {
      const said = await trial.ask('Get', { Name: trial.fresh() });
      const none = !trial.succeeded('Get', said) || trial.read('Get', said).Volume == null;
      trial.holds(none, 'an error, or a Volume that is null', said);
    },
  },
  {
    id: 'volume/errors-are-readable',
    title: 'An error is one sentence that a person understands',
    why: 'It is what the user of `docker run` reads, and all that they read.',
    run: async (trial) =>
      void (await trial.refuses(
        'Mount',
        { Name: trial.fresh(), ID: trial.freshId() },
        'an unknown volume to be refused',
      )),
  },
  {
    id: 'volume/scope',
    title: 'Capabilities, if there are any, name a scope',
    why: 'Swarm and schedulers place containers by it; engines take what they do not know for `local`.',
    weight: 'should',
    async run(trial) {
      const said = await trial.ask('Capabilities', {});
      if (!trial.succeeded('Capabilities', said)) return;
      const scope = trial.read('Capabilities', said).Capabilities?.Scope;
      trial.holds(scope === 'local' || scope === 'global', 'Capabilities with a Scope, `local` or `global`', said);
    },
  },
  {
    id: 'volume/created-at',
    title: 'CreatedAt, if it is said, is a moment in RFC 3339',
    why: 'dockerd shows it as it is; clients in other languages fail on it.',
    weight: 'should',
    async run(trial) {
      for (const { CreatedAt } of await listed(trial)) {
        const reads = !CreatedAt || (/^\d{4}-\d\d-\d\dT/.test(CreatedAt) && !Number.isNaN(Date.parse(CreatedAt)));
        trial.holds(reads, 'a CreatedAt such as 2026-01-31T12:00:00Z');
      }
    },
  },
  {
    id: 'volume/mountpoints-absolute',
    title: 'Mount points that are said are absolute paths',
    why: 'dockerd takes them as they are; a relative one is looked for in its own working directory.',
    async run(trial) {
      for (const { Mountpoint = '' } of await listed(trial)) {
        trial.holds(Mountpoint === '' || isAbsolute(Mountpoint), 'a Mountpoint that is absolute, or empty');
      }
    },
  },
);
