import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { logKind } from '@cleat/protocol/kinds/log';
import { jsonFileDriver } from './driver.js';
import { options } from './options.js';

export default {
  options,
  start({ log }) {
    const driver = jsonFileDriver(log);
    return { implementations: [implement(logKind, driver.handlers)], close: () => driver.close() };
  },
} satisfies ExtensionModule<typeof options>;
