import { type RunResult, run } from './run.js';

/** How long git may take for one command, in ms. */
const deadlineMs = 600_000;
const maxOutput = 1024 * 1024;

const settings = [
  ...['protocol.file.allow=never', 'protocol.ext.allow=never'],
  ...['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'advice.detachedHead=false'],
].flatMap((one) => ['-c', one]);

/** Variables of this process that git gets. */
const inherited = ['PATH', 'http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];

/**
 * Runs git in a directory, on a repository that somebody else has made. Nothing of this host's is read or run: no
 * configuration, no hooks, no prompts; only safe ways to fetch.
 * @param env variables beside its own
 */
export function git(
  directory: string,
  args: readonly string[],
  { signal, env = {} }: { signal: AbortSignal; env?: Readonly<Record<string, string>> },
): Promise<RunResult> {
  return run('git', [...settings, ...args], {
    cwd: directory,
    signal,
    deadlineMs,
    maxBuffer: maxOutput,
    env: {
      ...Object.fromEntries(inherited.map((name) => [name, process.env[name]]).filter(([, value]) => value)),
      LC_ALL: 'C',
      HOME: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_PROTOCOL_FROM_USER: '0',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '/bin/false',
      SSH_ASKPASS: '/bin/false',
      GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
      ...env,
    },
  });
}
