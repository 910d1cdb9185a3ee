import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { logKind } from '@cleat/protocol/kinds/log';
import { syslogDriver } from './driver.js';

export default {
  start({ log }) {
    const driver = syslogDriver(log);
    return { implementations: [implement(logKind, driver.handlers)], close: () => driver.close() };
  },
} satisfies ExtensionModule;
