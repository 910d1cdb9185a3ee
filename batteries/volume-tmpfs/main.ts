import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { createDriver } from './driver.js';
import { directoryOf, options } from './options.js';

export default {
  options,
  start: ({ options: given, log }) => ({
    implementations: [implement(volumeKind, createDriver(directoryOf(given), log))],
  }),
} satisfies ExtensionModule<typeof options>;
