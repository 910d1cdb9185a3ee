/** Images that one archive may list: for each a configuration is read, and an event told. */
export const maxImages = 10_000;

/** An image in an archive, whatever the archive's layout. */
export interface ArchivedImage {
  /** Its configuration, byte for byte. */
  raw: string;
  /** The layers' files, lowest first. */
  layers: { digest: string; size: number }[];
  /** Full names with tags. */
  names: string[];
  /** ID of the image that it was made from. */
  parent?: string;
}
