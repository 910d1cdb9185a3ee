import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { batteries } from './manifest.js';
import { Program } from './program.js';

/** Where the batteries are in this run; the projects of vitest.config.ts say so. */
const mode = process.env.CLEAT_E2E_BATTERIES ?? 'in-process';

/** The battery that this run does without, with `without-BATTERY`. */
export const leftOut = batteries.find((name) => mode === `without-${name}`);

/** Flags of cleatd that put them there. */
export const batteryFlags = flagsOf(mode);

/** The driver of volumes for which none is named. */
export const defaultVolumeDriver = { plugin: 'no-remove', tmpfs: 'tmpfs' }[mode] ?? 'local';

function flagsOf(mode: string): readonly string[] {
  if (leftOut !== undefined) return [`--extension=${leftOut}=off`];
  switch (mode) {
    case 'in-process':
      return [];
    case 'process':
      return batteries.map((name) => `--extension=${name}=process`);
    case 'plugin':
      return ['--extension=volume-local=off', '--default-volume-driver=no-remove'];
    case 'tmpfs':
      return ['--extension=volume-local=off', '--default-volume-driver=tmpfs'];
    default:
      throw new Error(`CLEAT_E2E_BATTERIES=${mode} is no mode: in-process, process, plugin, tmpfs, or without-BATTERY`);
  }
}

/** With `plugin`, the volume plugin that stands in for the battery. */
export async function startDefaultPlugin(directory: string, root: string): Promise<AsyncDisposable | undefined> {
  if (mode !== 'plugin') return undefined;
  const main = fileURLToPath(new URL('../../../examples/no-remove/dist/main.js', import.meta.url));
  const socket = join(directory, 'no-remove.sock');
  const program = new Program(process.execPath, [main, '--socket', socket, '--root', root]);
  await program.made(socket);
  return program;
}
