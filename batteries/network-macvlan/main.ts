import { HostSubLinks } from '@cleat/linux/net/sub-links';
import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { networkKind } from '@cleat/protocol/kinds/network';
import { SubLinkDriver } from '@cleat/sdk/networks';
import { macvlan } from './driver.js';
import { options } from './options.js';

export default {
  options,
  async start({ options: { engineId, stateDir }, log }) {
    const host = new HostSubLinks(`cleat:${engineId}`);
    const driver = new SubLinkDriver({ type: macvlan, host, stateDir, log });
    await driver.restore();
    return { implementations: [implement(networkKind, driver.handlers())], close: () => driver.close() };
  },
} satisfies ExtensionModule<typeof options>;
