import { interlockText, readInterlockFile } from './interlock-file.js';

/** Where Interlock's file says to serve figures, as flags of the SDK's, unless the command line says where. */
export function listenFlags(args: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const value = (name: string): string | undefined => {
    const at = args.findIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
    return at < 0 ? undefined : (args[at]?.split('=', 2)[1] ?? args[at + 1]);
  };
  if (value('socket') !== undefined || value('tcp') !== undefined) return [];
  try {
    const text = interlockText(value('config'), env);
    const address = text === undefined ? undefined : readInterlockFile(text, value('balancer')).listenAddress;
    return address === undefined ? [] : ['--tcp', address];
  } catch {
    // The balancer reads the same, and says what is wrong.
    return [];
  }
}
