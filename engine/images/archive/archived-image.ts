import type { FoundTarget } from '../targets.js';

/** Images that one archive may list: for each a configuration is read, and an event told. */
export const maxImages = 10_000;

/** The images of a name in an archive, whatever the archive's layout. */
export interface ArchivedImage {
  /** The images that are in the archive, each for a platform of its own; at least one. */
  manifests: ArchivedManifest[];
  /** Full names with tags. */
  names: string[];
  /** ID of the image that it was made from. */
  parent?: string;
  /** The manifest or index that it is in an OCI layout. */
  target?: FoundTarget;
}

export interface ArchivedManifest {
  /** The image's configuration, byte for byte. */
  raw: string;
  /** The layers' files, lowest first. */
  layers: { digest: string; size: number }[];
  /** The manifest's own digest, of a target. */
  digest?: string;
}
