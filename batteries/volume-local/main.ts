import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { createDriver } from './driver.js';
import { directoryOf, options } from './options.js';

export default {
  options,
  start: async ({ options: given, log }) => ({
    implementations: [implement(volumeKind, await createDriver(directoryOf(given), log))],
  }),
} satisfies ExtensionModule<typeof options>;
