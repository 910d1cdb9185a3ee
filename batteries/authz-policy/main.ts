import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { authzKind } from '@cleat/protocol/kinds/authz';
import { createDriver } from './driver.js';
import { options, settingsOf } from './options.js';

export default {
  options,
  start({ options: given, log }) {
    const driver = createDriver(settingsOf(given), log);
    return {
      implementations: [implement(authzKind, driver.handlers)],
      health: () => driver.health(),
      close: () => driver.close(),
    };
  },
} satisfies ExtensionModule<typeof options>;
