/** The first descriptor that a service manager passes (sd_listen_fds(3)). */
const firstFd = 3;

/**
 * The listening socket that the parent of this process made for it, as systemd does for a `.socket` unit. The
 * variables that tell of it are removed, so that no child takes it for its own.
 * @returns its descriptor; undefined when there is none
 * @throws Error when there are several: a plugin has one
 */
export function activatedSocket(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  // Those of another process were inherited by mistake.
  if (Number(pid) !== process.pid || count === undefined || count === '0') return undefined;
  if (count !== '1') throw new Error(`one socket is served, and ${count} were passed (LISTEN_FDS): pass one`);
  return firstFd;
}
