/** Where crun differs from runc, whose command line and words are the ones that all expect. */
import { basename } from 'node:path';

export const isCrun = (path: string): boolean => basename(path) === 'crun';

/** A value for a file of a container's control group, version 1. */
export interface CgroupWrite {
  controller: string;
  file: string;
  value: string;
}

/**
 * Limits that crun cannot lift with version 1, because it writes -1 in a form that the kernel refuses (`pids` before
 * 1.13, the CPU quota before 1.8.4): they are left out, to be written for it.
 * @param resources `linux.resources` of the OCI runtime specification
 */
export function crunResources(resources: RuntimeResources): { resources: RuntimeResources; lift: CgroupWrite[] } {
  const lift: CgroupWrite[] = [];
  const rest = { ...resources };
  if (rest.pids?.limit === -1) {
    delete rest.pids;
    lift.push({ controller: 'pids', file: 'pids.max', value: 'max' });
  }
  if (rest.cpu?.quota === -1) {
    rest.cpu = { ...rest.cpu, quota: undefined };
    lift.push({ controller: 'cpu', file: 'cpu.cfs_quota_us', value: '-1' });
  }
  return { resources: rest, lift };
}

/** The part of `linux.resources` that matters here. */
export interface RuntimeResources {
  pids?: { limit: number };
  cpu?: { quota?: number | undefined };
  memory?: object;
}

/** An errno's sentence as Go prints it. */
const goSentence = (sentence: string): string => sentence.charAt(0).toLowerCase() + sentence.slice(1);

/**
 * Puts crun's error for a command that cannot be executed into runc's words, which clients match; undefined for
 * anything else (source: crun `src/libcrun/container.c`, `utils.c`; runc `libcontainer/standard_init_linux.go`).
 * @param action `create` or `exec`
 * @param command the process's first argument
 */
export function inRuncWords(action: string, text: string, command: string): string | undefined {
  const failed = (reason: string): string =>
    `${action === 'create' ? 'crun create' : action} failed: unable to start container process: ${reason}`;
  const missing = /^executable file `(.*)` not found in \$PATH/s.exec(text)?.[1];
  if (missing !== undefined) {
    const why = missing.includes('/')
      ? `stat ${missing}: no such file or directory`
      : 'executable file not found in $PATH';
    return failed(`exec: "${missing}": ${why}`);
  }
  const unopened = /^open executable: (.*)$/s.exec(text)?.[1];
  if (unopened !== undefined) {
    // EPERM is how it says that the file is a directory, or another thing that nobody executes.
    const refused = unopened === 'Operation not permitted' || unopened === 'Permission denied';
    const why = refused ? 'permission denied' : `stat ${command}: ${goSentence(unopened)}`;
    return failed(`exec: "${command}": ${why}`);
  }
  const [, directory, why] = /^chdir `(.*?)`: (.*)$/s.exec(text) ?? [];
  if (directory !== undefined && why !== undefined) {
    return failed(`chdir to cwd ("${directory}") set in config.json failed: ${goSentence(why)}`);
  }
  const [, source, target, unmounted] = /^mount `(.*?)` to `(.*?)`: (.*)$/s.exec(text) ?? [];
  if (target !== undefined && unmounted !== undefined) {
    const where = `error mounting "${source}" to rootfs at "/${target.replace(/^\//, '')}"`;
    return failed(`error during container init: ${where}: ${goSentence(unmounted)}`);
  }
  // A long path is cut, with the quote behind it.
  const [, made, unmade] = /^mkdir `([^`]*?)`?: (.*)$/s.exec(text) ?? [];
  if (made !== undefined && unmade !== undefined) {
    return failed(
      `error during container init: error mounting to rootfs at "${made}": mkdir ${made}: ${goSentence(unmade)}`,
    );
  }
  return undefined;
}
