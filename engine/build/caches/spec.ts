import { invalidParameter, notImplemented } from '@cleat/protocol/errors';

/** Where a cache is read, as `--cache-from` says it. */
export type CacheSource =
  | { readonly type: 'registry'; readonly ref: string }
  | { readonly type: 'local'; readonly src: string; readonly digest: string };

/** Where a cache is written, as `--cache-to` says it. */
export type CacheTarget =
  | { readonly type: 'inline' }
  | { readonly type: 'registry'; readonly ref: string; readonly compression: Compression }
  | { readonly type: 'local'; readonly dest: string; readonly compression: Compression };

export type Compression = 'gzip' | 'uncompressed';

const elsewhere =
  'keep it in a registry (type=registry,ref=NAME), in a directory of the client (type=local), or in the image itself (type=inline)';

/** @throws InvalidParameter, NotImplemented for what is not done: nothing is left out silently */
export function cacheSource(text: string): CacheSource {
  const { type, get, finish } = attributesOf(text, 'registry', 'ref');
  if (type === 'registry') {
    const ref = get('ref');
    if (ref === '') throw invalidParameter('registry cache importer requires ref');
    refuseInsecure(get('registry.insecure'));
    finish();
    return { type, ref };
  }
  if (type === 'local') {
    const [src, digest] = [get('src'), get('digest')];
    if (src === '') throw invalidParameter('local cache importer requires src');
    if (digest === '') throw invalidParameter('local cache importer requires explicit digest');
    // The client has found the digest by it.
    get('tag');
    finish();
    return { type, src, digest };
  }
  throw notImplemented(`a cache of the type ${type} is not read here: ${elsewhere}`);
}

/** @throws InvalidParameter, NotImplemented for what is not done */
export function cacheTarget(text: string): CacheTarget {
  const { type, get, finish } = attributesOf(text, 'registry', 'ref');
  if (type !== 'inline' && type !== 'registry' && type !== 'local') {
    throw notImplemented(`a cache of the type ${type} is not written here: ${elsewhere}`);
  }
  const mode = get('mode');
  if (!['', 'min', 'max'].includes(mode)) throw invalidParameter(`unsupported cache export mode: ${mode}`);
  flag('ignore-error', get('ignore-error'));
  if (type === 'inline') {
    finish();
    return { type };
  }
  const compression = compressionOf(get('compression') || 'gzip');
  // All of it is compressed in that way, whatever it was before.
  flag('force-compression', get('force-compression'));
  if (get('compression-level') !== '') {
    throw notImplemented('the option compression-level of a cache is not served: leave it out');
  }
  for (const name of ['oci-mediatypes', 'image-manifest']) {
    if (!flag(name, get(name), true)) {
      throw notImplemented(`a cache is an OCI image manifest here: leave ${name}=false out`);
    }
  }
  if (type === 'registry') {
    const ref = get('ref');
    if (ref === '') throw invalidParameter('registry cache exporter requires ref');
    refuseInsecure(get('registry.insecure'));
    finish();
    return { type, ref, compression };
  }
  const dest = get('dest');
  if (dest === '') throw invalidParameter('local cache exporter requires dest');
  // The client's own business.
  get('tag');
  get('reset');
  finish();
  return { type, dest, compression };
}

function compressionOf(name: string): Compression {
  if (name === 'gzip' || name === 'uncompressed') return name;
  throw notImplemented(`the compression ${name} of a cache is not served: use gzip or uncompressed`);
}

function refuseInsecure(value: string): void {
  if (!flag('registry.insecure', value)) return;
  throw notImplemented(
    'registry.insecure=true is not served: name the registry to the engine (--insecure-registry, or daemon.json)',
  );
}

function flag(name: string, value: string, missing = false): boolean {
  if (value === '') return missing;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalidParameter(`failed to parse ${name}: invalid syntax: ${JSON.stringify(value)}`);
}

interface Attributes {
  readonly type: string;
  /** Empty where it is missing. */
  get(name: string): string;
  /** @throws NotImplemented for what nobody asked for */
  finish(): void;
}

/** `type=local,src=/a`; a single word without `=` is the value of `plain`. @throws InvalidParameter */
function attributesOf(text: string, plainType: string, plain: string): Attributes {
  const fields = fieldsOf(text);
  const [first = ''] = fields;
  const found = new Map<string, string>();
  if (fields.length === 1 && !first.includes('=')) found.set('type', plainType).set(plain, first);
  else {
    for (const field of fields) {
      const at = field.indexOf('=');
      if (at < 1) throw invalidParameter(`invalid value ${field}`);
      found.set(field.slice(0, at).toLowerCase(), field.slice(at + 1));
    }
  }
  const type = found.get('type') ?? '';
  if (type === '') throw invalidParameter(`type required for ${JSON.stringify(text)}`);
  const asked = new Set(['type']);
  return {
    type,
    get(name) {
      asked.add(name);
      return found.get(name) ?? '';
    },
    finish() {
      const other = [...found.keys()].find((name) => !asked.has(name));
      if (other === undefined) return;
      throw notImplemented(`the option ${other} of a cache of the type ${type} is not served: leave it out`);
    },
  };
}

/** Fields between commas; a field in quotes may have some. */
function fieldsOf(text: string): string[] {
  return [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain,
  );
}
