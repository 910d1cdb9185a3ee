import {
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from './engine.js';

const program = fileURLToPath(new URL('./managed-plugin.mjs', import.meta.url));

/**
 * Makes input for `docker plugin create`: a root file system with busybox and `/plugin.mjs`, which the host's Node runs
 * (its libraries are mounted). The program does what its variables say.
 */
export function managedPlugin(
  directory: string,
  manifest: object = {},
  files: Readonly<Record<string, string>> = {},
): string {
  const place = mkdtempSync(join(directory, 'plugin-'));
  const rootfs = join(place, 'rootfs');
  for (const name of ['bin', 'etc', 'tmp', 'mnt/volumes', 'usr', 'elsewhere'])
    mkdirSync(join(rootfs, name), { recursive: true });
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const name of ['sh', 'cat', 'ls', 'id', 'sleep', 'ip', 'ping', 'echo', 'ps'])
    symlinkSync('busybox', join(rootfs, 'bin', name));
  for (const name of ['lib', 'lib64']) {
    const stats = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(rootfs, name));
  }
  cpSync(program, join(rootfs, 'plugin.mjs'));
  for (const [path, text] of Object.entries(files)) writeFileSync(join(rootfs, path), text, { mode: 0o755 });
  const config = {
    description: 'of a test',
    documentation: '',
    entrypoint: ['/usr/bin/node', '/plugin.mjs'],
    interface: { types: ['docker.volumedriver/1.0'], socket: 'p.sock' },
    network: { type: 'none' },
    mounts: [
      {
        name: 'usr',
        description: '',
        source: '/usr',
        destination: '/usr',
        type: 'bind',
        options: ['rbind', 'ro'],
        settable: null,
      },
    ],
    env: ['MOUNTPOINT', 'BEFORE', 'KIND'].map((name) => ({ name, description: '', value: '', settable: ['value'] })),
    propagatedMount: '/mnt/volumes',
    linux: { capabilities: null, allowAllDevices: false, devices: null },
    workDir: '',
    ...manifest,
  };
  writeFileSync(join(place, 'config.json'), JSON.stringify(config));
  return place;
}

/** Makes, sets and enables it. */
export async function installed(engine: Engine, name: string, place: string, ...settings: string[]): Promise<void> {
  for (const args of [
    ['create', name, place],
    ['set', name, 'KIND=', ...settings],
    ['enable', name],
  ]) {
    const { code, stderr } = await engine.docker('plugin', ...args);
    if (code !== 0) throw new Error(`docker plugin ${args.join(' ')}: ${stderr}`);
  }
}
