import { invalidParameter } from '@cleat/protocol/errors';

const modes: readonly string[] = ['bridge', 'private', 'vepa', 'passthru'];

/** Options of a network that are macvlan's alone. @throws InvalidParameter */
export function readOptions(options: Readonly<Record<string, string>>): { mode: string; flag: string } {
  const mode = options.macvlan_mode || 'bridge';
  if (!modes.includes(mode)) {
    throw invalidParameter(
      `requested macvlan mode '${mode}' is not valid, 'bridge' mode is the macvlan driver default`,
    );
  }
  return { mode, flag: '' };
}
