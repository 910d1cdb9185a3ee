import { digestOf } from '../../content/blobs.js';
import { mediaType } from '../../distribution/manifest.js';
import type { LayerRecord } from '../../layers/service.js';
import type { Image } from '../catalog.js';
import type { Descriptor } from '../records.js';

export type Described = Pick<Descriptor, 'mediaType' | 'digest' | 'size' | 'platform'>;

export const layerDescriptor = (layer: LayerRecord) => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar',
  digest: layer.diffId,
  size: layer.tarSize,
});

/** The manifest of an image whose layers are not compressed: what it is saved as, or would be. */
export function manifestOf(image: Image, layers: readonly LayerRecord[]): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, digest: image.id, size: Buffer.byteLength(image.record.raw) },
    layers: layers.map(layerDescriptor),
  });
}

export function describe(type: string, document: string): Described {
  return { mediaType: type, digest: digestOf(document), size: Buffer.byteLength(document) };
}
