import { invalidParameter } from '@cleat/protocol/errors';
import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { createDriver } from './driver.js';

/** Options: `root` (required), the directory that holds one directory per volume. */
export default {
  async start({ options, log }) {
    const { root } = options;
    if (typeof root !== 'string' || !root.startsWith('/')) {
      throw invalidParameter('volume-local needs the option root, an absolute path');
    }
    return { implementations: [implement(volumeKind, await createDriver(root, log))] };
  },
} satisfies ExtensionModule;
