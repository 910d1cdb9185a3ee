import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { promisify } from 'node:util';
import { nameOf } from '@cleat/linux/rootfs/names';
import { invalidParameter, messageOf, notFound } from '@cleat/protocol/errors';
import { addDirectory, entryOf, Tree } from './tree.js';

const run = promisify(execFile);

/** The certificates of authorities, where Linux distributions have them. */
const certificates = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/** Places of `node` that are in a plugin's PATH. */
const nodePlaces = ['usr/local/bin/node', 'usr/bin/node', 'bin/node'];

export interface Runtime {
  readonly tree: Tree;
  /** Whether debug symbols were taken away, which makes it a tenth smaller. */
  readonly stripped: boolean;
}

/**
 * The Node runtime of this host as a root file system: the running binary, the libraries that `ldd` names, certificates,
 * and what programs expect of a root. Plugins that were packaged with the same Node share it as a layer.
 * @param scratch a directory for the stripped binary, which is to live as long as the tree is read
 */
export async function runtimeOfThisHost(scratch: string): Promise<Runtime> {
  const node = realpathSync(process.execPath);
  const tree = new Tree();
  addBasics(tree);
  const own = await strippedNode(node, scratch);
  addFile(tree, 'usr/bin/node', own, 0o755);
  for (const library of await librariesOf(node)) addWithLinks(tree, library);
  const found = certificates.find(existsSync);
  if (found !== undefined) addFile(tree, 'etc/ssl/certs/ca-certificates.crt', realpathSync(found), 0o644);
  return { tree, stripped: own !== node };
}

function addFile(tree: Tree, name: string, path: string, mode: number): void {
  tree.add(nameOf(name), { type: 'file', mode, size: statSync(path).size, from: { path: Buffer.from(path) } });
}

/** @returns the same binary where nothing on this host can do it */
async function strippedNode(node: string, scratch: string): Promise<string> {
  const path = join(scratch, 'node');
  try {
    await run('strip', ['-o', path, node], { timeout: 120_000 });
    return path;
  } catch {
    // Without binutils: it works as well, and is larger.
    return node;
  }
}

/** A runtime from a directory, for an architecture that is not this host's: as it is. @throws InvalidParameter */
export function runtimeFrom(directory: string): Tree {
  if (!nodePlaces.some((place) => existsSync(join(directory, place)))) {
    throw invalidParameter(`${directory} is no runtime: it needs ${nodePlaces.join(', or ')}, and the libraries of it`);
  }
  const tree = new Tree();
  addBasics(tree);
  addDirectory(tree, directory, '');
  return tree;
}

/** Directories and names that programs expect of a root file system, and Docker's place for sockets. */
function addBasics(tree: Tree): void {
  for (const path of ['dev', 'etc', 'proc', 'run/docker/plugins', 'sys', 'usr/bin', 'var']) tree.directory(path);
  tree.directory('root', 0o700);
  tree.directory('tmp', 0o1777);
  tree.file('etc/passwd', 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n');
  tree.file('etc/group', 'root:x:0:\nnogroup:x:65534:\n');
}

/**
 * Adds programs of this host, by name or path, with the libraries that they are linked with; what `besides` has, is left out.
 * @throws NotFound for one that is not in the PATH
 */
export async function addPrograms(tree: Tree, programs: readonly string[], besides: Tree): Promise<void> {
  const found = new Tree();
  for (const program of programs) {
    const path = pathOf(program);
    addWithLinks(found, path);
    for (const library of await librariesOf(path)) addWithLinks(found, library);
  }
  for (const [name, entry] of found.sorted()) if (besides.get(name) === undefined) tree.add(name, entry);
}

function pathOf(program: string): string {
  const directories = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`.split(':').filter(Boolean);
  const found = program.startsWith('/')
    ? [program]
    : directories.map((directory) => join(directory, program)).filter((path) => existsSync(path));
  const [first] = found.filter((path) => existsSync(path));
  if (first === undefined) throw notFound(`there is no program ${program} on this host`);
  return first;
}

/** @throws InvalidParameter where it cannot be told */
async function librariesOf(program: string): Promise<string[]> {
  let text: string;
  try {
    ({ stdout: text } = await run('ldd', [program], { timeout: 60_000, env: { ...process.env, LC_ALL: 'C' } }));
  } catch (error) {
    const said = `${messageOf(error)}${error instanceof Error && 'stderr' in error ? ` ${error.stderr}` : ''}`;
    if (/not a dynamic executable|statically linked/i.test(said)) return [];
    throw invalidParameter(`ldd does not say which libraries ${program} needs: ${said.trim()}`);
  }
  const lines = text.split('\n').map((line) => line.trim());
  const missing = lines.find((line) => line.endsWith('not found'));
  if (missing !== undefined) throw invalidParameter(`a library of ${program} is missing: ${missing}`);
  return lines.flatMap((line) => {
    const path = /(?:=> )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line)?.[1];
    return path === undefined ? [] : [path];
  });
}

/** Adds a file under the name that it has here, with each symbolic link on the way: the loader looks for these names. */
export function addWithLinks(tree: Tree, path: string): void {
  let left = normalize(path).split('/').filter(Boolean);
  let at = '';
  // No longer chain of links is a real one.
  for (let links = 0; left.length > 0; ) {
    const [part = '', ...rest] = left;
    const next = `${at}/${part}`;
    const stats = lstatSync(next);
    if (stats.isSymbolicLink()) {
      if (++links > 40) throw invalidParameter(`${path} leads through too many symbolic links`);
      const target = readlinkSync(next);
      tree.add(nameOf(next.slice(1)), { type: 'symlink', target: nameOf(target) });
      left = [...resolve(dirname(next), target).split('/').filter(Boolean), ...rest];
      at = '';
      continue;
    }
    if (rest.length === 0) {
      const entry = entryOf(Buffer.from(next), stats, true);
      if (entry) tree.add(nameOf(next.slice(1)), entry);
    }
    at = next;
    left = rest;
  }
}
