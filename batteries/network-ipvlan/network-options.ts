import { invalidParameter } from '@cleat/protocol/errors';

const modes: readonly string[] = ['l2', 'l3', 'l3s'];
const flags: readonly string[] = ['bridge', 'private', 'vepa'];

/** Options of a network that are ipvlan's alone. @throws InvalidParameter */
export function readOptions(options: Readonly<Record<string, string>>): { mode: string; flag: string } {
  const { ipvlan_mode: mode = '', ipvlan_flag: flag = '' } = options;
  if (mode && !modes.includes(mode)) {
    throw invalidParameter(`requested ipvlan mode '${mode}' is not valid, 'l2' mode is the ipvlan driver default`);
  }
  if (flag && !flags.includes(flag)) {
    throw invalidParameter(`requested ipvlan flag '${flag}' is not valid, 'bridge' is the ipvlan driver default`);
  }
  return { mode: mode || 'l2', flag: flag || 'bridge' };
}
