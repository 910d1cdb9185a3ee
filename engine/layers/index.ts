import type { Logger } from '@cleat/protocol/log';
import type { Content } from '../content/service.js';
import type { Store } from '../store/service.js';
import { UnpackedLayers } from './layers.js';
import type { LayerRecord } from './record.js';
import type { Layers, LayerUser } from './service.js';

export type { Layers } from './service.js';

export interface LayersDeps {
  /** Where the layers lie. */
  directory: string;
  content: Content;
  store: Store;
  /** All who keep layers for good. */
  users: readonly LayerUser[];
  log: Logger;
  /** Archives are kept as they came, too. */
  keepArchives?: boolean | undefined;
}

/**
 * Opens the layers, and removes what a crash left behind, blobs that nobody keeps included: all other users of the content
 * are known to it by then.
 */
export async function openLayers({
  directory,
  content,
  store,
  users,
  log,
  keepArchives = false,
}: LayersDeps): Promise<Layers> {
  const records = store.collection<LayerRecord>('layers');
  const layers = new UnpackedLayers({ root: directory, records, content, users, log, keepArchives });
  content.addUser(layers);
  await layers.recover();
  return layers;
}
