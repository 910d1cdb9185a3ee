import type { DistributionInspect, RegistryAuth } from '@cleat/protocol/api/image';
import type { Logger } from '@cleat/protocol/log';
import type { RegistriesConfig } from '../config.js';
import type { Reference } from '../content/references.js';
import type { StoredBlob } from '../content/service.js';
import type { RegistryClient } from './client.js';
import type { Download } from './download.js';
import type { Contents } from './manifest.js';
import type { Reach } from './transport.js';

export type { RegistryClient } from './client.js';
export type { Reach } from './transport.js';

/** The known facts about registries. */
export interface Registries {
  readonly config: RegistriesConfig;
  /** How they are reached; undefined: as they are. */
  readonly reach: Reach | undefined;
  readonly log: Logger;
}

/** Registries: artifacts of any media type come from there and go there. What they mean is their users' business. */
export interface Distribution {
  /**
   * Tries the endpoints of a registry one after the other: its mirrors (only to pull), HTTPS, HTTP where that is
   * allowed. `work` must not have reported anything when it fails for a mirror.
   * @throws what the last one threw
   */
  connect<T>(request: Connect, work: (client: RegistryClient) => Promise<T>): Promise<T>;
  /**
   * Brings a blob here, several at once for all of the engine. A try that is cut goes on where it ended.
   * @throws DataLoss for other content or another size than announced; the registry's errors
   */
  download(request: Omit<Download, 'content' | 'log'>): Promise<StoredBlob>;
  /** Whether a further download would wait for others. */
  readonly isBusy: boolean;
  /** Whether a registry takes the credentials. @throws Unauthorized, or why nobody could be asked */
  login(auth: RegistryAuth, signal: AbortSignal): Promise<{ Status: string; IdentityToken: string }>;
  /** The image of a name in its registry: digest and platforms. @throws as a pull */
  inspect(reference: Reference, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<DistributionInspect>;
}

export interface Connect {
  reference: Reference;
  access: 'pull' | 'push';
  /** Registries ask for another permission for plugins. Absent: an image. */
  contents?: Contents;
  auth?: RegistryAuth | undefined;
  signal: AbortSignal;
}
