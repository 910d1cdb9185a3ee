import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { nullDriver } from './driver.js';
import { options } from './options.js';

export default {
  options,
  start: () => ({ implementations: [implement(ipamKind, nullDriver)] }),
} satisfies ExtensionModule<typeof options>;
