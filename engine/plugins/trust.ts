import type { Reference } from '../content/references.js';
import type { RegistryClient } from '../distribution/client.js';

/** Whether plugins must be signed, and by whom. */
export interface Trust {
  /**
   * Checks the artifact of that digest, before anything else of it is fetched.
   * @throws Forbidden for one that is not signed as `plugin-trust` asks
   */
  check(client: RegistryClient, reference: Reference, digest: string, signal: AbortSignal): Promise<void>;
}
