import { accountFiles, accountsAt } from '../../oci/accounts.js';
import { mergeEnvironment } from '../../oci/environment.js';
import type { ExecTarget } from '../../oci/exec-target.js';
import type { Note } from './note.js';
import type { PluginPlaces } from './places.js';
import { processFor } from './spec.js';
import type { SandboxDeps, SandboxedPlugin } from './types.js';

/** A plugin that runs. A further process has the user and the capabilities of the plugin itself, and sees what it sees. */
export function execTargetOf(
  { runtimes, conmonPath = 'conmon' }: Pick<SandboxDeps, 'conmonPath' | 'runtimes'>,
  plugin: SandboxedPlugin,
  { rootfs }: PluginPlaces,
  run: { note: Note; cgroup: string; ended: AbortController; execIds: Set<string> },
): ExecTarget {
  return {
    id: plugin.id,
    name: plugin.name,
    config: {},
    runtime: runtimes.command(run.note.runtime, 'exec'),
    conmonPath,
    cgroup: run.cgroup,
    execIds: run.execIds,
    ended: run.ended.signal,
    async process({ command, env = [], workingDir, tty, consoleSize }) {
      // The plugin may have put anything in their place since it was started.
      for (const path of accountFiles) accountsAt(rootfs, path, 'unable to find the user of the plugin');
      const first = processFor(plugin);
      return {
        ...first,
        terminal: tty,
        consoleSize,
        args: command,
        env: mergeEnvironment([...(tty ? ['TERM=xterm'] : []), 'HOME=/', ...first.env], env),
        cwd: workingDir || first.cwd,
      };
    },
    emit() {},
  };
}
