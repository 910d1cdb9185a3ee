import { invalidParameter } from '@cleat/protocol/errors';
import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { createDriver } from './driver.js';

/** Options: `stateDir` (required), the directory that holds one directory per volume. */
export default {
  start({ options, log }) {
    const { stateDir } = options;
    if (typeof stateDir !== 'string' || !stateDir.startsWith('/')) {
      throw invalidParameter('volume-tmpfs needs the option stateDir, an absolute path');
    }
    return { implementations: [implement(volumeKind, createDriver(stateDir, log))] };
  },
} satisfies ExtensionModule;
