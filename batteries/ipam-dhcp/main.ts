import { join } from 'node:path';
import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { ipamKind } from '@cleat/protocol/kinds/ipam';
import { DurableMap } from '@cleat/sdk';
import { DhcpClient } from './client.js';
import { hostClock } from './clock.js';
import { DhcpDriver } from './driver.js';
import type { Lease } from './lease.js';
import { Leases } from './leases.js';
import { dhcpOptions, options } from './options.js';
import { openPort } from './port.js';

export default {
  options,
  start({ options: given, log }) {
    const { stateDir, answerMs } = dhcpOptions(given);
    const clock = hostClock();
    const client = new DhcpClient(openPort);
    const state = new DurableMap<Lease>(join(stateDir, 'leases.journal'), log);
    const leases = new Leases(state, client, clock, log);
    leases.resume();
    const driver = new DhcpDriver({ client, leases, clock, answerMs, log });
    return {
      implementations: [implement(ipamKind, driver.handlers())],
      close() {
        driver.close();
        leases.close();
        state.close();
      },
    };
  },
} satisfies ExtensionModule<typeof options>;
