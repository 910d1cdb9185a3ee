import { existsSync, readFileSync } from 'node:fs';
import { type CgroupHierarchy, hostHierarchy } from '../cgroup/hierarchy.js';
import { findCommand } from '../host.js';
import { isCrun } from './crun.js';

/** Where crun looks for version 2 of cgroups (its `libcrun_get_cgroup_mode`). */
const unified = '/sys/fs/cgroup/unified';

/**
 * The purposes of starting a runtime: to make a container, to run a further process in one, to signal its first process
 * or let it begin, which has nothing to do with cgroups, or anything else.
 */
export type LaunchFor = 'create' | 'exec' | 'signal' | 'other';

/** The launcher's dependencies; tests give their own. */
export interface LaunchHost {
  hierarchy: CgroupHierarchy;
  /** Whether the directory that crun looks at is there. */
  hasUnified: boolean;
  /** This process's, which its children inherit. */
  oomScore: string;
  find(command: string): string | undefined;
}

/**
 * The command that starts a runtime on this host: its program, after what has to come before it. Only crun needs
 * anything:
 *
 * - It refuses a host that mounts both versions of cgroups ("hybrid") when it sees version 2 on
 *   `/sys/fs/cgroup/unified`. So each call gets a mount namespace of its own, in which something else covers that one
 *   mount: a procfs, as unshare(1) does it in one step, and for `create` an empty tmpfs above it, in which crun may
 *   make what it takes for a cgroup. The namespace is a copy of the host's at that moment: it always holds what is
 *   mounted, also where mounts are not shared; mounts that are shared stay so, in both directions. It goes with the
 *   call, so there is nothing to keep, to find again or to clean up.
 * - Before 1.9 it leaves `oom_score_adj` as it is when the container's is 0: a service with `OOMScoreAdjust=` would
 *   hand its own down.
 * - It leaves a further process without a terminal in its own session: `kill 0` in there would reach conmon.
 */
export function launcherOf(path: string, use: LaunchFor, host: LaunchHost = thisHost()): string[] {
  if (!isCrun(path)) return [path];
  const covered = host.hierarchy.hybrid && host.hasUnified && use !== 'signal';
  const steps: string[] = [];
  if (covered && use === 'create') steps.push(`${applet(host, 'mount').join(' ')} -t tmpfs none ${unified}`);
  if (host.oomScore !== '0' && (use === 'create' || use === 'exec')) steps.push('echo 0 >/proc/self/oom_score_adj');
  return [
    // Not busybox's, which cannot leave propagation as it is (1.35).
    ...(covered ? [host.find('unshare') ?? 'unshare', '--propagation=unchanged', `--mount-proc=${unified}`] : []),
    ...(steps.length > 0 ? [...shell(host), '-c', `${steps.join(' && ')} && exec "$0" "$@"`] : []),
    ...(use === 'exec' ? applet(host, 'setsid') : []),
    path,
  ];
}

/** A directory of the host's that a runtime does not see as it is. */
export function hiddenFrom(path: string, { hierarchy, hasUnified }: LaunchHost = thisHost()): string | undefined {
  return isCrun(path) && hierarchy.hybrid && hasUnified ? unified : undefined;
}

/** busybox is static and starts in a third of the time. */
function applet(host: LaunchHost, name: string): string[] {
  const busybox = host.find('busybox');
  return busybox === undefined ? [host.find(name) ?? name] : [busybox, name];
}

const shell = (host: LaunchHost): string[] => (host.find('busybox') === undefined ? ['/bin/sh'] : applet(host, 'sh'));

let known: LaunchHost | undefined;

function thisHost(): LaunchHost {
  known ??= {
    hierarchy: hostHierarchy(),
    hasUnified: existsSync(unified),
    oomScore: readFileSync('/proc/self/oom_score_adj', 'utf8').trim(),
    find: remembering(findCommand),
  };
  return known;
}

function remembering(find: (command: string) => string | undefined): LaunchHost['find'] {
  const found = new Map<string, string | undefined>();
  return (command) => {
    if (!found.has(command)) found.set(command, find(command));
    return found.get(command);
  };
}
