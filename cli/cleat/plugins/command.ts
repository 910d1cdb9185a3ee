import { readFileSync, writeFileSync } from 'node:fs';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { familiar, isDigest, parseReference, withDefaultTag } from '@cleat/engine/content/references';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { resolveEndpoint } from '../engine/endpoint.js';
import { engineOptions, engineOptionsHelp } from '../engine/options.js';
import { packagingTime } from '../package/tar.js';
import { interruption } from '../registry/interruption.js';
import { type RegistryOptions, withPluginRegistry } from '../registry/registry.js';
import { newKeyPair, readPrivateKey, signatureOf } from '../signing/keys.js';
import { signPushed } from '../signing/sign.js';
import { entryFor, pushIndex } from './build-index.js';
import { Copies } from './copies.js';
import { type IndexEntry, indexText, readIndex } from './document.js';
import { load, save } from './offline.js';
import { matching, searchTable } from './search.js';
import { copiesDirectory, fetchIndex } from './source.js';
import { sourcesFrom } from './sources.js';

export const pluginsHelp = `
  cleat plugins search [TERM]      plugins that others publish: kind, publisher, architectures, requested privileges
  cleat plugins index build REF…   make an index of plugins that are in registries
  cleat plugins sign REF           sign what is in a registry, as cosign does
  cleat plugins save NAME          a plugin of an engine as an archive, to be carried to a host without a registry
  cleat plugins load NAME FILE     make a plugin of such an archive, or of an OCI layout (a directory or an archive)
  cleat plugins keygen NAME        make a pair of keys: NAME.key for --sign, NAME.pub for plugin-trust

search:
      --index PLACE     An index: REGISTRY/NAME[:TAG], an https URL or a file (./index.json); may be repeated. Default:
                        those of ~/.config/cleat/indexes.json and /etc/cleat/indexes.json
      --key FILE        With --index: the public key (PEM) of one who must have signed it; may be repeated
      --kind KIND       Of that kind only
      --offline         Ask nobody: use the last copies
      --format FORMAT   table or json

index build:
  -o, --output FILE     Write it there; with --sign, its signature goes to FILE.sig
      --push REF        Bring it to a registry
      --publisher NAME  Who publishes the plugins that are named
      --from FILE       Go on with the entries of another index; may be repeated
      --sign KEY        Sign it with a private key

sign:
      --key KEY         The private key (PEM; ed25519 or ECDSA P-256); its passphrase is in CLEAT_KEY_PASSWORD

save:
  -o, --output FILE     Write it there; default: standard output
      --format FORMAT   docker (default): config.json and rootfs/, for "docker plugin create"; oci: an OCI layout, with the
                        digest that a registry has

save and load (FILE may be -, for standard input):
${engineOptionsHelp}
      --insecure-registry HOST
                        A registry without a valid certificate
`;

/** Options of the command; shells complete them. */
export const pluginsOptions = {
  ...engineOptions,
  index: { type: 'string', multiple: true },
  key: { type: 'string', multiple: true },
  kind: { type: 'string' },
  offline: { type: 'boolean' },
  format: { type: 'string' },
  output: { type: 'string', short: 'o' },
  push: { type: 'string' },
  publisher: { type: 'string' },
  from: { type: 'string', multiple: true },
  sign: { type: 'string' },
  'insecure-registry': { type: 'string', multiple: true },
} as const satisfies ParseArgsConfig['options'];

type Values = ReturnType<typeof parse>['values'];

const parse = (args: string[]) => parseArgs({ args, allowPositionals: true, options: pluginsOptions });

const engineNames = Object.keys(engineOptions) as (keyof typeof engineOptions)[];

/** Options that belong to each verb; any other is a mistake, not to be passed over. */
const optionsOf: Readonly<Record<string, readonly (keyof Values)[]>> = {
  search: ['index', 'key', 'kind', 'offline', 'format'],
  index: ['output', 'push', 'publisher', 'from', 'sign'],
  sign: ['key'],
  save: ['output', 'format', ...engineNames],
  load: engineNames,
  keygen: [],
};

/**
 * `cleat plugins`: what others publish, and how to publish.
 * @throws InvalidParameter, Forbidden for what is not signed, what a registry says
 */
export async function pluginsCommand(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  const [verb = '', ...rest] = positionals;
  const known = optionsOf[verb];
  if (known === undefined)
    throw invalidParameter(`use: cleat plugins search, index build, sign, save, load or keygen\n${pluginsHelp}`);
  for (const name of Object.keys(values) as (keyof Values)[]) {
    if (name !== 'insecure-registry' && !known.includes(name))
      throw invalidParameter(`--${name} is no option of "${verb}"`);
  }
  using stop = interruption();
  const options: RegistryOptions = { insecure: values['insecure-registry'] ?? [], signal: stop.signal };
  if (verb === 'search') await search(rest.join(' '), values, options);
  else if (verb === 'sign') await signReference(rest, values, options);
  else if (verb === 'keygen') keygen(rest);
  else if (verb === 'save') await saveTo(rest, values, stop.signal);
  else if (verb === 'load') await loadFrom(rest, values);
  else await index(rest, values, options);
  return 0;
}

async function search(term: string, values: Values, options: RegistryOptions): Promise<void> {
  const { format = 'table', offline = false } = values;
  if (format !== 'table' && format !== 'json') throw invalidParameter('--format is table or json');
  const sources = sourcesFrom(values.index ?? [], values.key ?? []);
  const copies = new Copies(copiesDirectory());
  const all: IndexEntry[] = [];
  for (const source of sources) {
    const { index, stale } = await fetchIndex(source, { ...options, copies, offline });
    if (stale) process.stderr.write(`${source.place}: the copy of ${stale.at.toISOString()} (${stale.why})\n`);
    if (source.keys.length === 0) process.stderr.write(`${source.place}: nobody's signature was asked for (--key)\n`);
    all.push(...index.plugins);
  }
  const found = matching(all, term, values.kind);
  process.stdout.write(format === 'json' ? `${JSON.stringify(found, null, 2)}\n` : searchTable(found));
}

async function index(words: readonly string[], values: Values, options: RegistryOptions): Promise<void> {
  const [verb, ...names] = words;
  const { output, push, publisher = '', from = [], sign } = values;
  if (verb !== 'build') throw invalidParameter('use: cleat plugins index build REF…');
  if (output === undefined && push === undefined) throw invalidParameter('say where to: --output FILE or --push REF');
  const key = sign === undefined ? undefined : readPrivateKey(sign);
  const before = from.flatMap((path) => readIndex(readFileSync(path, 'utf8'), path).plugins);
  const entries: IndexEntry[] = [];
  for (const name of names) entries.push(await entryFor(name, publisher, options));
  const created = process.env.SOURCE_DATE_EPOCH ? new Date(packagingTime() * 1000) : new Date();
  const text = indexText(created.toISOString(), [...before, ...entries]);
  if (output !== undefined) {
    writeFileSync(output, text);
    if (key) writeFileSync(`${output}.sig`, `${signatureOf(key, text)}\n`);
  }
  if (push !== undefined) {
    const digest = await pushIndex(text, push, options);
    if (key) await signPushed({ ...options, reference: parseReference(push), digests: [digest], key });
    process.stdout.write(`${familiar(withDefaultTag(parseReference(push)))}: digest: ${digest}\n`);
  }
}

async function signReference(words: readonly string[], values: Values, options: RegistryOptions): Promise<void> {
  const [name, ...more] = words;
  const [path, ...others] = values.key ?? [];
  if (name === undefined || more.length > 0 || path === undefined || others.length > 0) {
    throw invalidParameter('use: cleat plugins sign REF --key KEY');
  }
  const key = readPrivateKey(path);
  const reference = withDefaultTag(parseReference(name));
  const { digest, inside } = await withPluginRegistry(reference, 'pull', options, async (client) => {
    const found = await client.manifest(reference.digest ?? reference.tag ?? '', options.signal);
    return { digest: found.digest, inside: digestsInList(found.text) };
  });
  await signPushed({ ...options, reference, digests: [digest, ...inside], key });
  process.stdout.write(`${familiar(reference)}: signed ${digest}\n`);
}

async function saveTo(words: readonly string[], values: Values, signal: AbortSignal): Promise<void> {
  const [name, ...more] = words;
  if (name === undefined || more.length > 0) throw invalidParameter('use: cleat plugins save NAME [-o FILE]');
  const output = values.output ?? '-';
  if (output === '-' && process.stdout.isTTY) throw invalidParameter('an archive is not for a terminal: --output FILE');
  const { format = 'docker' } = values;
  if (format !== 'docker' && format !== 'oci') throw invalidParameter('--format is docker or oci');
  await save(resolveEndpoint(values), name, { output, format }, signal);
}

async function loadFrom(words: readonly string[], values: Values): Promise<void> {
  const [name, file, ...more] = words;
  if (name === undefined || file === undefined || more.length > 0)
    throw invalidParameter('use: cleat plugins load NAME FILE');
  await load(resolveEndpoint(values), name, file);
  process.stdout.write(`${name}\n`);
}

/** The manifests of a list for several platforms, each of which somebody may take by itself. */
function digestsInList(text: string): string[] {
  const list: unknown = JSON.parse(text);
  const manifests = isRecord(list) && Array.isArray(list.manifests) ? list.manifests : [];
  return manifests.flatMap((each: unknown) =>
    isRecord(each) && typeof each.digest === 'string' && isDigest(each.digest) ? [each.digest] : [],
  );
}

function keygen(words: readonly string[]): void {
  const [name, ...more] = words;
  if (name === undefined || more.length > 0) throw invalidParameter('use: cleat plugins keygen NAME');
  const { publicKey, privateKey } = newKeyPair(process.env.CLEAT_KEY_PASSWORD);
  try {
    writeFileSync(`${name}.key`, privateKey, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw conflict(`${name}.key is there already: a key is never overwritten`);
    }
    throw error;
  }
  writeFileSync(`${name}.pub`, publicKey);
  process.stdout.write(`${name}.key, to be kept secret; ${name}.pub, for those who are to trust you\n`);
}
