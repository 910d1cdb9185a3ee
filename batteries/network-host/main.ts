import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { networkKind } from '@cleat/protocol/kinds/network';
import { hostDriver } from './host.js';

/** No options. */
export default {
  start: () => ({ implementations: [implement(networkKind, hostDriver)] }),
} satisfies ExtensionModule;
