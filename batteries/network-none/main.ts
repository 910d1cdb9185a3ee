import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { networkKind } from '@cleat/protocol/kinds/network';
import { noneDriver } from './none.js';

/** No options. */
export default {
  start: () => ({ implementations: [implement(networkKind, noneDriver)] }),
} satisfies ExtensionModule;
