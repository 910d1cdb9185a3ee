import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCommand } from '@cleat/linux/host';
import { run } from '@cleat/linux/process/run';
import { unavailable } from '@cleat/protocol/errors';

/** Where a checkout of github.com/docker/go-plugins-helpers is: it is nobody's package, and not part of this project. */
const helpersVariable = 'CLEAT_BENCH_GO_HELPERS';
/** Where Debian's packages put the libraries that the helpers import. */
const debianLibraries = '/usr/share/gocode';
const helpersImport = 'src/github.com/docker/go-plugins-helpers';
const peers = fileURLToPath(new URL('../peers/', import.meta.url));

/** Why programs with Docker's Go helpers cannot be built here, in a sentence; undefined when they can. */
export function whyNoGo(): string | undefined {
  if (findCommand('go') === undefined) return 'go is not installed (Debian: golang-go)';
  const helpers = process.env[helpersVariable] ?? '';
  if (!existsSync(join(helpers, 'volume/api.go')))
    return `${helpersVariable} is to name a checkout of github.com/docker/go-plugins-helpers`;
  if (!existsSync(join(debianLibraries, 'src/github.com/docker/go-connections')))
    return 'the libraries of the Go helpers are not installed (Debian: golang-github-docker-go-connections-dev)';
  return undefined;
}

/**
 * Builds a program of `bench/peers/`.
 * @param directory where it goes, and what the compiler needs
 * @returns the program's path
 * @throws Unavailable with what the compiler says
 */
export async function buildGo(name: 'go-plugin' | 'load', directory: string): Promise<string> {
  const link = join(directory, 'gopath', helpersImport);
  if (!existsSync(link)) {
    mkdirSync(join(link, '..'), { recursive: true });
    symlinkSync(resolve(process.env[helpersVariable] ?? ''), link);
  }
  const program = join(directory, name);
  const { code, stderr } = await run('go', ['build', '-tags', 'nosystemd', '-o', program, '.'], {
    cwd: join(peers, name),
    deadlineMs: 120_000,
    env: {
      ...process.env,
      // Without modules: nothing is downloaded.
      GO111MODULE: 'off',
      GOPATH: `${join(directory, 'gopath')}:${debianLibraries}`,
      GOCACHE: join(directory, 'cache'),
    },
  });
  if (code !== 0) throw unavailable(`the Go program ${name} cannot be built: ${stderr.trim()}`);
  return program;
}
