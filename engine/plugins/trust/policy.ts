import type { PluginsConfig } from '../../config.js';
import type { Trust } from '../trust.js';
import { checkTrust } from './index.js';
import type { TrustRule } from './rules.js';
import { readPublicKey } from './verify.js';

/** The trust that the host's owner set, which may change while the engine runs. */
export function trustBy(config: Pick<PluginsConfig, 'pluginTrust'>): Trust {
  return {
    async check(client, reference, digest, signal) {
      const rules = (config.pluginTrust ?? []).map(
        ({ name, unsigned, keys }): TrustRule => ({
          name,
          unsigned,
          keys: keys.map(({ path, pem }) => readPublicKey(pem, path)),
        }),
      );
      await checkTrust({ rules, reference, client, digests: [digest], signal });
    },
  };
}
