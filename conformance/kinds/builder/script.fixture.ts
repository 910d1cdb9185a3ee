import { builderKind, implement } from '@cleat/sdk';
import { of, type Script } from '../../recording/script-of-kind.fixture.js';

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () =>
    of(
      implement(builderKind, {
        async *Build() {
          yield Buffer.from('{"Error":{"Message":"there is no engine"}}\n');
        },
        DiskUsage: () => ({ Records: [] }),
        Prune: () => ({ Removed: [], SpaceReclaimed: 0 }),
      }),
    ),
  asks: (ID) => [
    ['DiskUsage', { Engine: '/nowhere' }],
    ['Build', { ID, Engine: '/nowhere', Context: '/nowhere', Dockerfile: '/nowhere/Dockerfile' }],
    ['Prune', { Engine: '/nowhere', All: true }],
  ],
};
