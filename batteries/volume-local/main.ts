import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { createDriver } from './driver.js';
import { directoryOf, options, ownerOf } from './options.js';

export default {
  options,
  start: async ({ options: given, log }) => ({
    implementations: [
      implement(volumeKind, await createDriver({ root: directoryOf(given), owner: ownerOf(given) }, log)),
    ],
  }),
} satisfies ExtensionModule<typeof options>;
