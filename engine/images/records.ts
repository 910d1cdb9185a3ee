import type { Platform } from '../content/platform.js';
import type { ImageId } from '../ids.js';

/** Records about images in the store. */

/** Collection `images`, by ID. */
export interface ImageRecord {
  v: 1;
  /** `sha256:…` of `raw`. */
  id: ImageId;
  /** The image configuration, byte for byte. */
  raw: string;
  /** ID of the image that this one was made from here (commit, load); images from a registry have none. */
  parent?: ImageId;
  /** When a reference last came to point here (RFC 3339). */
  lastTagged?: string;
  /** When it came here (RFC 3339). */
  stored: string;
  /**
   * Removed by force while a stopped container was made from it: no longer shown, kept until the last such container
   * is gone.
   */
  removed?: true;
  /**
   * A build record: made by this builder, and nobody's yet. Only builders see it, until it is published as a build's
   * result, or tagged.
   */
  builder?: string;
}

/** Collection `image-references`, by canonical reference (`docker.io/library/busybox:latest`, or with `@sha256:…`). */
export interface ReferenceRecord {
  v: 1;
  /** Image ID; of a target with images for several platforms, the one that fits this host best. */
  id: ImageId;
  /** Digest of the target, for what came from a registry or an OCI layout. */
  target?: string;
}

/**
 * Collection `image-targets`, by digest: what a name was in its registry or archive, the manifest of one image, or an
 * index of images for several platforms. It goes with its last name.
 */
export interface TargetRecord extends Descriptor {
  v: 1;
  /** In the order of the index; of a manifest, it alone. */
  manifests: TargetManifest[];
}

/** A manifest of a target, whether its image is here or not. */
export interface TargetManifest extends Descriptor {
  /** Its image, if that is here. */
  image?: ImageId;
}

/** An OCI descriptor, with what indexes say of their manifests. */
export interface Descriptor {
  mediaType: string;
  /** `sha256:…` */
  digest: string;
  size: number;
  platform?: Platform;
  annotations?: Record<string, string>;
  artifactType?: string;
}
