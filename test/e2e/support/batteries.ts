import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program } from './program.js';

/** Where the batteries are in this run; the projects of vitest.config.ts say so. */
const mode = process.env.CLEAT_E2E_BATTERIES ?? 'in-process';

const batteries = [
  'volume-local',
  'network-bridge',
  'network-host',
  'network-none',
  'ipam-default',
  'log-json-file',
  'log-local',
  'log-syslog',
];

/** Flags of cleatd that put them there. */
export const batteryFlags: readonly string[] =
  mode === 'process'
    ? batteries.map((name) => `--extension=${name}=process`)
    : mode === 'plugin'
      ? ['--extension=volume-local=off', '--default-volume-driver=no-remove']
      : [];

/** The driver of volumes for which none is named. */
export const defaultVolumeDriver = mode === 'plugin' ? 'no-remove' : 'local';

/** With `plugin`, the volume plugin that stands in for the battery. */
export async function startDefaultPlugin(directory: string, root: string): Promise<AsyncDisposable | undefined> {
  if (mode !== 'plugin') return undefined;
  const main = fileURLToPath(new URL('../../../examples/no-remove/dist/main.js', import.meta.url));
  const socket = join(directory, 'no-remove.sock');
  const program = new Program(process.execPath, [main, '--socket', socket, '--root', root]);
  await program.made(socket);
  return program;
}
