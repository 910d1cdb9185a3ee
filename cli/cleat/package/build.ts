import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatPlatform, hostPlatform, type Platform } from '@cleat/engine/content/platform';
import { mediaType } from '@cleat/engine/distribution/manifest';
import { nameOf } from '@cleat/linux/rootfs/names';
import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { bundled } from './bundle.js';
import { manifestFor } from './config.js';
import { addLayer, type Layer } from './layer.js';
import type { Blob, Layout } from './layout.js';
import { appDirectory, isProject, type Project, readProject } from './project.js';
import { addPrograms, runtimeFrom, runtimeOfThisHost } from './runtime.js';
import { addDirectory, Tree } from './tree.js';

export interface BuildOptions {
  readonly directory: string;
  /** The directory is a root file system, whatever is in it. */
  readonly rootfs: boolean;
  readonly platforms: readonly Platform[];
  /** Root directories with a Node runtime, by `os/arch`. */
  readonly runtimes: ReadonlyMap<string, string>;
  readonly kinds?: readonly string[] | undefined;
  readonly name?: string | undefined;
  /** Programs of this host that go along. */
  readonly programs?: readonly string[] | undefined;
  readonly config?: string | undefined;
  readonly mtime: number;
  readonly cache: string | undefined;
  readonly signal: AbortSignal;
  readonly layout: Layout;
  /** A directory for files that the trees are made of. */
  readonly scratch: string;
  /** Told what a person may want to know. */
  readonly say: (line: string) => void;
}

/** A plugin for one platform, as blobs of a layout and as trees. */
export interface Built {
  readonly platform: Platform;
  readonly manifest: PluginManifest;
  /** The manifest of the artifact, which names its configuration and its layers. */
  readonly artifact: Blob;
  readonly config: Blob;
  readonly layers: readonly Layer[];
  readonly trees: readonly Tree[];
}

/** Makes a plugin for each platform. @throws InvalidParameter */
export async function build(options: BuildOptions): Promise<Built[]> {
  const { directory, rootfs } = options;
  if (!existsSync(directory)) throw invalidParameter(`${directory} does not exist`);
  const built: Built[] = [];
  if (!rootfs && isProject(directory)) {
    const project = await bundled(readProject(directory), options.say);
    const entrypoint = ['node', `/${appDirectory}/${project.main}`];
    const manifest = manifestFor(directory, { ...options, file: options.config, entrypoint });
    for (const platform of options.platforms) {
      checkNative(project, platform, options.say);
      const runtime = await runtimeFor(platform, options);
      const tree = await withPrograms(project, platform, runtime, options);
      built.push(await assemble(options, platform, manifest, [runtime, withMountPoint(tree, manifest)]));
    }
  } else {
    const manifest = manifestFor(directory, { ...options, file: options.config });
    const tree = new Tree();
    // Docker's own form of a plugin: config.json beside rootfs/.
    const isDockers = !rootfs && existsSync(join(directory, 'rootfs'));
    addDirectory(tree, isDockers ? join(directory, 'rootfs') : directory, '', {
      wanted: (path) => isDockers || !['plugin.json', 'config.json'].includes(path),
    });
    for (const platform of options.platforms) {
      checkPrograms(options.programs ?? [], platform);
      const own = copyOf(tree);
      await addPrograms(own, options.programs ?? [], tree);
      built.push(await assemble(options, platform, manifest, [own]));
    }
  }
  return built;
}

/** The project with the programs that it starts. */
async function withPrograms(project: Project, platform: Platform, runtime: Tree, options: BuildOptions): Promise<Tree> {
  const programs = [...(project.manifest.cleat?.programs ?? []), ...(options.programs ?? [])];
  checkPrograms(programs, platform);
  const tree = copyOf(project.tree);
  await addPrograms(tree, programs, runtime);
  return tree;
}

function copyOf(tree: Tree): Tree {
  const copy = new Tree();
  for (const [name, entry] of tree.sorted()) copy.add(name, entry);
  return copy;
}

/** @throws InvalidParameter for another platform than this host's */
function checkPrograms(programs: readonly string[], platform: Platform): void {
  if (programs.length === 0 || formatPlatform(platform) === formatPlatform(hostPlatform())) return;
  throw invalidParameter(
    `the programs ${programs.join(', ')} are this host's: put those of ${formatPlatform(platform)} into its root`,
  );
}

/** Docker binds a directory of the host there; it is to exist for a program that looks before. */
function withMountPoint(tree: Tree, { PropagatedMount }: PluginManifest): Tree {
  const name = nameOf(PropagatedMount.replace(/^\/+|\/+$/g, '').replace(/\/+/g, '/'));
  if (name !== '' && tree.get(name) === undefined) tree.add(name, { type: 'directory', mode: 0o755 });
  return tree;
}

async function runtimeFor(platform: Platform, { runtimes, scratch, say }: BuildOptions): Promise<Tree> {
  const name = formatPlatform(platform);
  const given = runtimes.get(name);
  if (given !== undefined) return runtimeFrom(given);
  if (name !== formatPlatform(hostPlatform())) {
    throw invalidParameter(
      `this host's Node does not run on ${name}: give a root directory with one, --runtime ${name}=DIRECTORY`,
    );
  }
  const { tree, stripped } = await runtimeOfThisHost(scratch);
  say(`Node ${process.version} of this host${stripped ? '' : ', with its debug symbols (no strip here)'}`);
  return tree;
}

/** Native modules that none of this platform stands beside would be missed when the plugin runs. */
function checkNative({ native }: Project, platform: Platform, say: (line: string) => void): void {
  const { architecture } = platform;
  if (native.size === 0 || native.has(architecture)) return;
  const others = [...native].map(([name, files]) => `${files[0]} (${name})`).join(', ');
  say(`WARNING: none of the native modules is for ${architecture}: ${others}`);
}

async function assemble(
  { layout, mtime, cache, signal }: BuildOptions,
  platform: Platform,
  given: PluginManifest,
  trees: readonly Tree[],
): Promise<Built> {
  refuseOverlap(trees);
  const layers: Layer[] = [];
  for (const tree of trees) layers.push(await addLayer(layout, tree, mtime, { cache, signal }));
  const manifest = { ...given, rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) } };
  const config = await layout.add(JSON.stringify(manifest));
  const artifact = await layout.add(
    JSON.stringify({
      schemaVersion: 2,
      // Docker reads no other for a plugin, and registries took no OCI manifest for one.
      mediaType: mediaType.dockerManifest,
      config: { mediaType: mediaType.dockerPlugin, size: config.size, digest: config.digest },
      layers: layers.map(({ digest, size }) => ({ mediaType: mediaType.dockerLayer, size, digest })),
    }),
  );
  return { platform, manifest, artifact, config, layers, trees };
}

/** A stock engine unpacks layers at once, in any order: what is in two of them would be either. */
function refuseOverlap(trees: readonly Tree[]): void {
  const all = new Tree();
  for (const tree of trees) for (const [name, entry] of tree.sorted()) all.add(name, entry);
}

export interface Artifact {
  /** The target of a reference: the plugin's manifest, or the list of those for several platforms. */
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
}

/** One artifact for all platforms. */
export async function artifactOf(layout: Layout, built: readonly Built[]): Promise<Artifact> {
  const [only, ...more] = built;
  if (only && more.length === 0) return { ...only.artifact, mediaType: mediaType.dockerManifest };
  const list = await layout.add(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.dockerList,
      manifests: built.map(({ artifact, platform }) => ({
        mediaType: mediaType.dockerManifest,
        size: artifact.size,
        digest: artifact.digest,
        platform,
      })),
    }),
  );
  return { ...list, mediaType: mediaType.dockerList };
}
