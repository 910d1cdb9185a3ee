import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { networkKind } from '@cleat/protocol/kinds/network';
import { hostDriver } from './driver.js';
import { options } from './options.js';

export default {
  options,
  start: () => ({ implementations: [implement(networkKind, hostDriver)] }),
} satisfies ExtensionModule<typeof options>;
