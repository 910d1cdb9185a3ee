import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { formatPlatform, hostPlatform, type Platform, parsePlatform } from '@cleat/engine/content/platform';
import { conflict, invalidParameter } from '@cleat/protocol/errors';
import { kindLabels } from '@cleat/protocol/kinds/index';
import { privilegesOf } from '@cleat/protocol/plugins/privileges';
import { kindsOf } from '@cleat/protocol/plugins/types';
import { plain } from '../columns.js';
import { interruption } from '../registry/interruption.js';
import { readPrivateKey } from '../signing/keys.js';
import { signPushed } from '../signing/sign.js';
import { writeArchive, writeLayoutArchive } from './archive.js';
import { type Artifact, artifactOf, type Built, build } from './build.js';
import { Layout } from './layout.js';
import { push, pushReference } from './push.js';
import { humanSize } from './size.js';
import { packagingTime } from './tar.js';

export const packageHelp = `
DIRECTORY (default: this one) is an npm project that was installed and built, or a root file system: with config.json and
rootfs/, as for "docker plugin create", or with --rootfs. The manifest is its plugin.json, or "cleat.plugin" in package.json;
what it leaves out is filled in. Neither root nor an engine is needed, and the same input gives the same digest.

      --push REF            Send it to a registry, with the credentials of "docker login"
  -o, --output PATH         PATH.tar: config.json and rootfs/ for "docker plugin create"; a directory, or PATH.oci.tar: an
                            OCI layout
      --platform LIST       For these, such as linux/amd64,linux/arm64; default: this host's
      --runtime [PLATFORM=]DIR
                            A root directory with Node, instead of this host's; needed for another architecture
      --kind KIND           What it is, where the manifest does not say: ${kindLabels.join(', ')}, runtime
      --name NAME           Of its socket, where the manifest does not say; default: the project's
      --program NAME        A program of this host that the plugin starts, with its libraries; also "cleat.programs" in
                            package.json
      --manifest FILE       The manifest, in place of DIRECTORY/plugin.json
      --rootfs              DIRECTORY is a root file system, whatever is in it
      --sign KEY            With --push: sign it with a private key (PEM; ed25519 or ECDSA P-256), as cosign does
      --no-cache            Keep no layers for the next run, and use none of a former one
      --insecure-registry HOST
                            A registry without a valid certificate
  -q, --quiet               Print the digest only
`;

/** Options of the command; shells complete them. */
export const packageOptions = {
  push: { type: 'string' },
  output: { type: 'string', short: 'o' },
  platform: { type: 'string', multiple: true },
  runtime: { type: 'string', multiple: true },
  kind: { type: 'string', multiple: true },
  name: { type: 'string' },
  program: { type: 'string', multiple: true },
  manifest: { type: 'string' },
  rootfs: { type: 'boolean' },
  sign: { type: 'string' },
  'no-cache': { type: 'boolean' },
  'insecure-registry': { type: 'string', multiple: true },
  quiet: { type: 'boolean', short: 'q' },
} as const satisfies ParseArgsConfig['options'];

/**
 * `cleat package`: makes a managed plugin.
 * @throws InvalidParameter and what the registry says
 */
export async function packageCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: packageOptions });
  const [directory = '.', ...more] = positionals;
  const { output, push: reference, sign, quiet } = values;
  if (more.length > 0) throw invalidParameter('use: cleat package [DIRECTORY] [OPTION…]');
  if (output === undefined && reference === undefined)
    throw invalidParameter('say where to: --push REF or --output PATH');
  if (sign !== undefined && reference === undefined)
    throw invalidParameter('--sign needs --push: a signature lies beside what it signs');
  // Said before anything is made.
  if (reference !== undefined) pushReference(reference);
  const key = sign === undefined ? undefined : readPrivateKey(sign);
  const platforms = platformsOf(values.platform);
  const isLayoutArchive = output?.endsWith('.oci.tar') ?? false;
  const isArchive = !isLayoutArchive && (output?.endsWith('.tar') ?? false);
  if (isArchive && platforms.length > 1)
    throw invalidParameter('an archive for "docker plugin create" is for one platform');
  const mtime = packagingTime();
  const say = (line: string) => void (quiet || process.stdout.write(`${line}\n`));

  // From here on, so that what lies in temporary directories is removed in any case.
  using stop = interruption();
  using scratch = temporaryDirectory();
  await using layout = await Layout.open(
    output === undefined || isArchive || isLayoutArchive ? undefined : newDirectory(output),
  );
  const built = await build({
    directory: resolve(directory),
    rootfs: values.rootfs ?? false,
    platforms,
    runtimes: runtimesOf(values.runtime, platforms),
    kinds: values.kind,
    name: values.name,
    programs: values.program,
    config: values.manifest,
    mtime,
    cache: values['no-cache'] ? undefined : cacheDirectory(),
    signal: stop.signal,
    layout,
    scratch: scratch.path,
    say,
  });
  const artifact = await artifactOf(layout, built);
  for (const line of summary(built)) say(line);
  const [only] = built;
  if (isArchive && output !== undefined && only) await writeArchive(output, only, mtime);
  else await layout.writeIndex(indexEntries(artifact, reference));
  if (output !== undefined && isLayoutArchive) await writeLayoutArchive(output, layout.directory, mtime);
  else if (output !== undefined && !isArchive) layout.keep();
  if (reference !== undefined) {
    const options = { insecure: values['insecure-registry'] ?? [], signal: stop.signal };
    await push({ ...options, reference, layout, built, artifact, say });
    if (key) {
      const digests =
        built.length > 1 ? [artifact.digest, ...built.map((one) => one.artifact.digest)] : [artifact.digest];
      await signPushed({ ...options, reference: pushReference(reference), digests, key });
      say(`signed with ${sign}`);
    }
  }
  if (output !== undefined) say(`${output}: ${isArchive ? 'for docker plugin create' : 'an OCI layout'}`);
  process.stdout.write(quiet ? `${artifact.digest}\n` : `Digest: ${artifact.digest}\n`);
  return 0;
}

function platformsOf(given: readonly string[] | undefined): Platform[] {
  const texts = given?.flatMap((text) => text.split(',')).filter(Boolean) ?? [];
  if (texts.length === 0) return [hostPlatform()];
  const platforms = new Map(texts.map((text) => [formatPlatform(parsePlatform(text)), parsePlatform(text)]));
  for (const [name, { os }] of platforms) {
    if (os !== 'linux') throw invalidParameter(`managed plugins are for Linux, not ${name}`);
  }
  return [...platforms.values()];
}

function runtimesOf(given: readonly string[] | undefined, platforms: readonly Platform[]): Map<string, string> {
  const result = new Map<string, string>();
  for (const text of given ?? []) {
    const [, name, directory = text] = /^([a-z0-9]+\/[a-z0-9/]+)=(.+)$/.exec(text) ?? [];
    const [only, ...more] = platforms;
    if (name === undefined && (more.length > 0 || !only)) {
      throw invalidParameter(`--runtime ${text}: say for which platform, such as linux/arm64=${text}`);
    }
    const platform = name === undefined ? only : parsePlatform(name);
    if (platform) result.set(formatPlatform(platform), resolve(directory));
  }
  return result;
}

function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'cleat-scratch-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** @throws Conflict for one that has something in it */
function newDirectory(path: string): string {
  if (existsSync(path) && readdirSync(path).length > 0)
    throw conflict(`${path} is there already, with something in it`);
  mkdirSync(path, { recursive: true });
  return resolve(path);
}

function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cleat', 'layers');
}

function indexEntries({ digest, size, mediaType }: Artifact, reference: string | undefined): object[] {
  const annotations =
    reference === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': reference } };
  return [{ mediaType, size, digest, ...annotations }];
}

/** Tells an author its kinds, its privileges and its sizes. */
function summary(built: readonly Built[]): string[] {
  const [first] = built;
  if (!first) return [];
  const { manifest } = first;
  const privileges = privilegesOf(manifest).map(
    ({ Name, Value }) => `  ${Name}: [${(Value ?? []).map(plain).join(' ')}]`,
  );
  const kinds = kindsOf(manifest);
  return [
    `${manifest.Interface.Socket}: ${kinds.length > 0 ? kinds.join(', ') : (manifest.Interface.Types ?? []).map(plain).join(', ')}`,
    ...(privileges.length > 0 ? ['Users grant:', ...privileges] : ['Users grant nothing']),
    ...built.map(({ platform, layers }) => {
      const sizes = layers.map(({ size }) => humanSize(size)).join(' + ');
      return `${formatPlatform(platform)}: ${humanSize(layers.reduce((sum, { size }) => sum + size, 0))} (${sizes})`;
    }),
  ];
}
