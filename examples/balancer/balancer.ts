import { rmSync } from 'node:fs';
import { messageOf } from '@cleat/protocol/errors';
import { setInterval } from '@cleat/protocol/guard';
import { defineExtension } from '@cleat/sdk';
import { drainHook } from './drain-hook.js';
import { Service } from './service.js';
import { interlockText, readInterlockFile } from './settings/interlock-file.js';
import { options, settingsOf } from './settings/settings.js';

/** How often certificates are looked at, and containers that were left out. */
const lookMs = 15_000;

/** Routes HTTP to containers by their labels, with nginx or HAProxy. Engines need not know it. */
export default defineExtension({
  options,
  async start({ options: given, log, signal }) {
    const text = interlockText(given.config, process.env);
    const file = text === undefined ? { listening: {}, notices: [] } : readInterlockFile(text, given.balancer);
    const settings = settingsOf(given, file, process.getuid?.() === 0);
    for (const notice of settings.notices) log.warn(notice);
    const service = await Service.open(settings, log, signal);
    const looking = setInterval(() => service.look(), lookMs);
    let failure: string | undefined;
    const following = service.follow().catch((error: unknown) => {
      failure = messageOf(error);
      log.error('the engine cannot be watched', { error: failure });
    });
    return {
      implementations: [drainHook(service)],
      health: () => failure ?? service.health(),
      metrics: () => service.metrics(),
      async close() {
        clearInterval(looking);
        await following;
        await service.close();
        if (!settings.leaves) rmSync(settings.directory, { recursive: true, force: true });
      },
    };
  },
});
