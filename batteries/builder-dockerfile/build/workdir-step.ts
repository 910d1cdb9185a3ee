import { Readable } from 'node:stream';
import { tarEnd } from '@cleat/linux/archive/tar-writer';
import { nameOf } from '@cleat/linux/rootfs/names';
import { owned } from '@cleat/protocol/guard';
import { keyOf } from '../cache/store.js';
import { Layer } from '../files/layer.js';
import { ownerOf } from '../files/owner.js';
import type { BuildContext } from './context.js';
import { note } from './metadata.js';
import { treeOf } from './sources.js';
import type { State } from './state.js';
import type { Step } from './step.js';

/** WORKDIR makes the directory, for the user of that moment. */
export function workdirStep(context: BuildContext, state: State, directory: string, what: string): Step {
  note(state, `WORKDIR ${directory}`);
  const user = state.config.User ?? '';
  return {
    what,
    async prepare() {
      return {
        keys: [keyOf('workdir', directory, user)],
        async make(signal) {
          const below = (await treeOf(context, state.layers))?.root;
          const owner = user === '' ? { uid: 0, gid: 0 } : ownerOf(user, below);
          const layer = new Layer(below, context.epoch);
          const place = nameOf((below?.resolve(directory) ?? directory).slice(1));
          const mtime = context.epoch ?? Math.floor(Date.now() / 1000);
          const make = () => ({ ...owner, mode: 0o755, mtime, xattrs: new Map() });
          const isThere = place === '' || layer.kindAt(place) === 'directory';
          const heads = isThere ? [] : [...layer.directory(place, make)];
          const tar = Buffer.concat([...heads, tarEnd]);
          const record = await context.images.addLayer(
            state.layers.id,
            owned(Readable.from([tar], { objectMode: false })),
            signal,
          );
          return { record, size: tar.length };
        },
      };
    },
  };
}
