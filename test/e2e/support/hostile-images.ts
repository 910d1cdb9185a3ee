import { createHash } from 'node:crypto';

/** Builds images and tars that no honest tool writes. */
export interface Entry {
  name: string | Buffer;
  /** The type flag. */
  type?: string;
  content?: Buffer | string;
  /** The size in the header, where it is to be wrong. */
  size?: number | string;
  link?: string;
  mode?: number | string;
  uid?: string;
  major?: string;
}

const blockSize = 512;
const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0');

function header({ name, type = '0', size, content = '', link = '', mode = 0o644, uid = '0', major = '' }: Entry) {
  const block = Buffer.alloc(blockSize);
  Buffer.from(name).copy(block, 0, 0, 100);
  block.write(typeof mode === 'string' ? mode : octal(mode, 8), 100, 8, 'latin1');
  block.write(uid, 108, 8, 'latin1');
  block.write('0', 116, 8, 'latin1');
  block.write(typeof size === 'string' ? size : octal(size ?? Buffer.byteLength(content), 12), 124, 12, 'latin1');
  block.write('0', 136, 12, 'latin1');
  block.write(type, 156, 1, 'latin1');
  block.write(link, 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 8, 'latin1');
  block.write(major, 329, 8, 'latin1');
  block.fill(0x20, 148, 156);
  block.write(
    `${octal(
      block.reduce((sum, byte) => sum + byte, 0),
      7,
    )}\0 `,
    148,
    8,
    'latin1',
  );
  return block;
}

const padded = (data: Buffer) =>
  Buffer.concat([data, Buffer.alloc((blockSize - (data.length % blockSize)) % blockSize)]);

export function tarOf(entries: readonly Entry[], end = true): Buffer {
  const blocks = entries.flatMap((entry) => {
    const name = Buffer.from(entry.name);
    const long =
      name.length > 100
        ? tarOf([{ name: '././@LongLink', type: 'L', content: Buffer.concat([name, Buffer.alloc(1)]) }], false)
        : Buffer.alloc(0);
    return [long, header(entry), padded(Buffer.from(entry.content ?? ''))];
  });
  return Buffer.concat([...blocks, Buffer.alloc(end ? 2 * blockSize : 0)]);
}

/** A PAX header's records, for the entry that follows; or for all of them (`g`). */
export function pax(records: Record<string, string>, type = 'x'): Entry {
  const content = Object.entries(records)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      let length = rest.length + 1;
      while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
      return `${length}${rest}`;
    })
    .join('');
  return { name: 'PaxHeader', type, content: Buffer.from(content, 'latin1') };
}

export const digestOf = (data: Buffer | string): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
export const hexOf = (data: Buffer | string): string => digestOf(data).slice('sha256:'.length);

/** An image's documents as values or, where no value says it, as texts. */
export interface Documents {
  config: unknown;
  /** The manifest for a registry or an OCI layout; made from the layers when absent. */
  manifest?: unknown;
  /** `manifest.json` of a Docker archive. */
  list?: unknown;
  layers: readonly Buffer[];
}

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

export function manifestOf({ config, layers }: Documents): Record<string, unknown> {
  const raw = textOf(config);
  const describe = (mediaType: string, data: Buffer | string) => ({
    mediaType,
    digest: digestOf(data),
    size: Buffer.byteLength(data),
  });
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: describe('application/vnd.oci.image.config.v1+json', raw),
    layers: layers.map((layer) => describe('application/vnd.oci.image.layer.v1.tar', layer)),
  };
}

export const listOf = ({ layers }: Documents): Record<string, unknown>[] => [
  { Config: 'config.json', RepoTags: [], Layers: layers.map((layer) => `${hexOf(layer)}/layer.tar`) },
];

/** As `docker save` of old wrote it. */
export function dockerArchive(image: Documents): Buffer {
  return tarOf([
    { name: 'manifest.json', content: textOf(image.list ?? listOf(image)) },
    { name: 'config.json', content: textOf(image.config) },
    ...image.layers.map((layer) => ({ name: `${hexOf(layer)}/layer.tar`, content: layer })),
  ]);
}

/** An OCI layout. @param index what `index.json` says, instead of naming the manifest */
export function ociArchive(image: Documents, index?: unknown, more: readonly (Buffer | string)[] = []): Buffer {
  const manifest = textOf(image.manifest ?? manifestOf(image));
  const manifests = [
    { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digestOf(manifest), size: manifest.length },
  ];
  const blobs = [manifest, textOf(image.config), ...image.layers, ...more];
  return tarOf([
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: textOf(index ?? { schemaVersion: 2, manifests }) },
    ...blobs.map((blob) => ({ name: `blobs/sha256/${hexOf(blob)}`, content: blob })),
  ]);
}

/** The same value many times, in each something else in one place. */
export function* mutations(
  value: unknown,
  replacements: readonly unknown[],
): Generator<{ where: string; value: unknown }> {
  for (const replacement of replacements) yield { where: ` = ${label(replacement)}`, value: replacement };
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    for (const mutation of mutations(inner, replacements)) {
      const copy: unknown = Array.isArray(value)
        ? Object.assign([...value], { [key]: mutation.value })
        : { ...value, [key]: mutation.value };
      yield { where: `.${key}${mutation.where}`, value: copy };
    }
  }
}

const label = (value: unknown) => textOf(value).slice(0, 40);
