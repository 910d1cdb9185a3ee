import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { createDriver } from './driver.js';
import { ipamOptions, options } from './options.js';

export default {
  options,
  start: ({ options: given, log }) => ({
    implementations: [implement(ipamKind, createDriver(ipamOptions(given), log))],
  }),
} satisfies ExtensionModule<typeof options>;
