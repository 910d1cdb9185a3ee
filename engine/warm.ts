import type { Extensions } from '@cleat/extensions/service';
import { loadAttach } from '@cleat/linux/conmon/attach';
import type { Helper } from '@cleat/linux/helper/helper';
import { messageOf } from '@cleat/protocol/errors';
import type { Kind } from '@cleat/protocol/kinds/kind';
import { logKind } from '@cleat/protocol/kinds/log';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import type { Logger } from '@cleat/protocol/log';
import type { EngineConfig } from './config.js';
import type { ImageHost, Images } from './images/service.js';

interface Cold {
  readonly config: EngineConfig;
  readonly extensions: Extensions;
  readonly helper: Helper;
  readonly images: Images & ImageHost;
  readonly log: Logger;
}

/**
 * After the start, loads what would otherwise be loaded by the first request that needs it, and that request would be
 * the slow one: a helper process, the default drivers that are modules of this process, the code for archives. What
 * only a registry needs (TLS) stays out of memory. Nobody waits for it; what fails is for that request to tell.
 */
export async function warm({ config, extensions, helper, images, log }: Cold): Promise<void> {
  helper.keepReady();
  await loadAttach().catch((error: unknown) => {
    log.error('containers cannot be attached to', { error: messageOf(error) });
  });
  const drivers: [Kind, string][] = [
    [volumeKind, config.defaultVolumeDriver],
    [logKind, config.logDriver],
  ];
  for (const [kind, name] of drivers) {
    const own = ({ carrier, kinds, ...found }: ReturnType<Extensions['list']>[number]) =>
      carrier === 'in-process' && found.name === name && kinds.includes(kind.name);
    if (!extensions.list().some(own)) continue;
    await extensions.get(kind, name, { impatient: true }).catch((error: unknown) => {
      log.debug(`${name} is not loaded yet`, { error: messageOf(error) });
    });
  }
  await images.warm();
}
