import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { builderKind } from '@cleat/protocol/kinds/builder';
import { createDriver } from './driver.js';
import { options, settingsOf } from './options.js';

export default {
  options,
  async start({ options: given, log }) {
    const driver = await createDriver(settingsOf(given), log);
    return { implementations: [implement(builderKind, driver.handlers)], close: driver.close };
  },
} satisfies ExtensionModule<typeof options>;
