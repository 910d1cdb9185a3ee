import { isAbsolute } from 'node:path';
import { builderKind } from '@cleat/protocol/kinds/builder';
import { cases, type Need } from '../../verify/case.js';
import { Inapplicable } from '../../verify/trial.js';
import type { BuilderTrial } from './steps.js';

const needs: readonly Need[] = ['changes'];
const Engine = '/nonexistent/verify-no-engine-here.sock';

/** The cache of a builder: how it is counted and given back. A builder without a cache lacks both methods. */
export const keeping = cases(
  builderKind,
  {
    id: 'builder/capabilities',
    title: 'Capabilities are a list of platforms, or none, and the path of a BuildKit, or none',
    why: 'An engine asks before it promises a platform to `docker buildx`, or passes it on.',
    async run(trial) {
      const said = await trial.ask('Capabilities', {});
      if (said.status === 404) return;
      const { Platforms = [], BuildKit = '/' } = trial.read('Capabilities', said);
      trial.holds(isAbsolute(BuildKit), 'an absolute path of a socket', said, BuildKit);
      const strange = Platforms.find((platform) => !/^[a-z0-9_]+\/[a-z0-9_]+(\/[a-z0-9_]+)?$/.test(platform));
      trial.holds(strange === undefined, 'platforms such as linux/amd64', said, strange);
    },
  },
  {
    id: 'builder/disk-usage',
    title: 'DiskUsage lists records with different IDs and sizes that are none below zero',
    why: '`docker system df` adds them up. With it an engine also tells which build records are no longer known.',
    async run(trial) {
      const said = await trial.ask('DiskUsage', { Engine });
      if (said.status === 404) return;
      const { Records = [] } = trial.read('DiskUsage', said);
      const ids = new Set(Records.map(({ ID }) => ID));
      trial.holds(ids.size === Records.length && !ids.has(''), 'an ID of its own for each record', said);
      trial.holds(
        Records.every(({ Size = 0 }) => Size >= 0),
        'sizes in bytes, none below zero',
        said,
      );
    },
  },
  {
    id: 'builder/prune-again',
    title: 'Prune says what went, and again that nothing is left to go',
    why: '`docker builder prune` shows it. A builder that counts the same twice lies about the disk.',
    needs,
    async run(trial) {
      await pruned(trial);
      const { Removed = [], SpaceReclaimed = 0 } = await pruned(trial);
      trial.holds(Removed.length === 0 && SpaceReclaimed === 0, 'nothing removed by the second of two');
    },
  },
  {
    id: 'builder/prune-filter',
    title: 'Prune refuses a filter that it does not know',
    why: 'A filter that is ignored removes what should stay.',
    needs,
    async run(trial) {
      await pruned(trial);
      await trial.refuses('Prune', { Engine, Filters: { 'no-such-filter': ['x'] } }, 'an error that names the filter');
    },
  },
);

/** @throws Inapplicable where it has no cache, or does not know ages */
async function pruned(trial: BuilderTrial) {
  // Only what is older than any cache: nothing that somebody needs.
  const answer = await trial.doesOrRefuses('Prune', { Engine, Filters: { until: ['876000h'] } });
  if (trial.calls.at(-1)?.status === 404) throw new Inapplicable('it has no Prune, as it keeps nothing');
  if (answer === undefined) throw new Inapplicable('it does not prune by age');
  return answer;
}
