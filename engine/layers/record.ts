/** Collection `layers`, by diff ID. Independent of the layers below, hence shared between all images that hold it. */
export interface LayerRecord {
  v: 1;
  /** `sha256:…` of the uncompressed tar. */
  diffId: string;
  /** Name of the directory under `layers/`. */
  directory: string;
  /** Bytes in regular files. */
  size: number;
  /** Bytes of the uncompressed tar. */
  tarSize: number;
  /** The archive as it came. It is kept where there is no outline. */
  blob: { digest: string; size: number; compression: 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2' };
  /** The blob with which the archive, uncompressed, can be written again from the unpacked layer: see `outline/`. */
  outline?: string;
  /** Where registries have it, gzipped: the newest last. */
  places?: LayerPlace[];
}

/** A repository that has a layer. */
export interface LayerPlace {
  digest: string;
  size: number;
  /** `registry.example/team/app` */
  repository: string;
}
