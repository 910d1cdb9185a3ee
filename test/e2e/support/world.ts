import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Program } from './program.js';

/** Addresses of an engine's host, in a network namespace of its own, and of the world outside, on the cable between them. */
export const hostAddress = '198.51.100.1';
export const worldAddress = '198.51.100.2';

/** Runs a command in the network namespace of a process, and says what it printed. */
export async function at(pid: number, command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('nsenter', [`--net=/proc/${pid}/ns/net`, command, ...args]);
  return stdout;
}

/** A shell command that says the last line of a page. Statically linked, `wget` of busybox may fail to resolve names. */
export function got(url: string, before = ''): string {
  const { hostname, port, pathname } = new URL(url);
  return `printf 'GET ${pathname} HTTP/1.0\\r\\n\\r\\n' | ${before}nc -w 3 ${hostname} ${port || 80} | tail -n 1`;
}

/** The world outside: a namespace with a cable to the engines' namespace, and a server that says who it is. */
export class World implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    readonly directory: string,
  ) {}

  static async start(directory: string, hostPid: number): Promise<World> {
    writeFileSync(join(directory, 'f'), 'world\n');
    const script = `ip link set lo up; touch ${directory}/there; exec busybox httpd -f -p 80 -h ${directory}`;
    const world = new World(new Program('unshare', ['--net', 'sh', '-c', script]), directory);
    await world.program.made(join(directory, 'there'));
    await at(hostPid, 'ip', 'link', 'set', 'lo', 'up');
    await at(
      hostPid,
      'ip',
      'link',
      'add',
      'cable0',
      'type',
      'veth',
      'peer',
      'name',
      'cable1',
      'netns',
      String(world.program.pid),
    );
    for (const [pid, link, address] of [
      [hostPid, 'cable0', hostAddress],
      [world.program.pid, 'cable1', worldAddress],
    ] as const) {
      await at(pid, 'ip', 'address', 'add', `${address}/24`, 'dev', link);
      await at(pid, 'ip', 'link', 'set', link, 'up');
    }
    return world;
  }

  fetch(url: string): Promise<string> {
    return at(this.program.pid, 'sh', '-c', got(url, 'busybox ')).catch(String);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.end('SIGKILL');
    rmSync(this.directory, { recursive: true });
  }
}
