import { Semaphore } from '@cleat/protocol/async/semaphore';
import type { Content } from '../content/service.js';
import type { Distribution, Registries } from './service.js';

export type { Distribution } from './service.js';

export interface DistributionDeps extends Registries {
  content: Content;
}

/**
 * The code that speaks with registries (TLS above all) is loaded with the first use: an engine at rest does not need
 * it.
 */
export function openDistribution({ config, reach, log, content }: DistributionDeps): Distribution {
  const downloads = new Semaphore(Math.max(1, config.maxConcurrentDownloads));
  const registries: Registries = { config, reach, log };
  return {
    async connect(request, work) {
      const { withRegistry } = await import('./connect.js');
      return await withRegistry(registries, request, work);
    },
    async download(request) {
      // At once, so that who comes next sees whether there is a place left.
      return await downloads.run(async () => (await import('./download.js')).download({ ...request, content, log }));
    },
    get isBusy() {
      return downloads.isBusy;
    },
    inspect: async (reference, auth, signal) =>
      (await import('./inspect.js')).inspectRemote(registries, reference, auth, signal),
    login: async (auth, signal) => (await import('./login.js')).login(registries, auth, signal),
  };
}
