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
  /** Image ID. */
  id: ImageId;
}
