import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { networkKind } from '@cleat/protocol/kinds/network';
import { BridgeDriver } from './driver.js';
import { bridgeOptions, options } from './options.js';

export default {
  options,
  async start({ options: given, log }) {
    const driver = new BridgeDriver(bridgeOptions(given), log);
    await driver.restore();
    return { implementations: [implement(networkKind, driver.handlers())], close: () => driver.close() };
  },
} satisfies ExtensionModule<typeof options>;
