import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Writes the configuration of a registry that keeps its data in `data` of the same directory. */
export function configure(directory: string, host: string): void {
  const storage = `storage: {filesystem: {rootdirectory: ${directory}/data}}`;
  writeFileSync(
    join(directory, 'config.yml'),
    `version: 0.1\nlog: {level: error}\n${storage}\nhttp: {addr: '${host}'}\n`,
  );
}

/**
 * Debian's docker-registry, by the `config.yml` in a directory.
 * @param entering the beginning of a command that runs where it is to be heard
 */
export async function startRegistry(
  directory: string,
  host: string,
  entering: readonly string[],
): Promise<ChildProcess> {
  const at = ([program = '', ...args]: readonly string[]) => spawn(program, args, { stdio: 'ignore' });
  const registry = at([...entering, 'docker-registry', 'serve', join(directory, 'config.yml')]);
  const probe = [...entering, 'busybox', 'wget', '-q', '-O', '/dev/null', `http://${host}/v2/`];
  for (let attempt = 0; attempt < 100; attempt++) {
    const [code] = (await once(at(probe), 'exit')) as [number | null];
    if (code === 0) return registry;
    await sleep(100);
  }
  await endProcess(registry);
  throw new Error('docker-registry does not start (Debian: docker-registry)');
}

export async function endProcess(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
