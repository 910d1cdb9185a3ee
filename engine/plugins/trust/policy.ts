import type { PluginsConfig } from '../../config.js';
import type { TrustRule } from './rules.js';
import { readPublicKey } from './verify.js';

/** The rules that the host's owner set, which may change while the engine runs. */
export function rulesOf({ pluginTrust = [] }: Pick<PluginsConfig, 'pluginTrust'>): TrustRule[] {
  return pluginTrust.map(({ name, unsigned, keys }) => ({
    name,
    unsigned,
    keys: keys.map(({ path, pem }) => readPublicKey(pem, path)),
  }));
}
