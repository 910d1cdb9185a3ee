import { implement, volumeKind } from '@cleat/sdk';
import { nothing, of, type Script } from '../../recording/script-of-kind.fixture.js';

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () => {
    const root = `/m/${Math.random()}`;
    return of(
      implement(volumeKind, {
        ...{ Create: nothing, Remove: nothing, Unmount: nothing, List: () => ({ Volumes: null }) },
        Mount: ({ Name }) => ({ Mountpoint: `${root}/${Name}` }),
        Path: ({ Name }) => ({ Mountpoint: `${root}/${Name}` }),
        Get: ({ Name }) => ({ Volume: { Name, Mountpoint: `${root}/${Name}`, CreatedAt: new Date().toISOString() } }),
      }),
    );
  },
  asks: (ID) => [
    ['Create', { Name: 'v', Opts: { password: 'x' } }],
    ['Get', { Name: 'v' }],
    ['Mount', { Name: 'v', ID }],
    ['Path', { Name: 'v' }],
    ['Unmount', { Name: 'v', ID }],
    ['List', {}],
    ['Capabilities', {}],
  ],
};
