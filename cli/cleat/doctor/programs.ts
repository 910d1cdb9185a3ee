import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { findCommand } from '@cleat/linux/host';
import { fastestRuntime } from '@cleat/linux/runtime/fastest';
import { messageOf } from '@cleat/protocol/errors';
import { type Check, type Finding, fail, ok, warn } from './check.js';

/** The programs that the engine drives. */
export const programChecks: readonly Check[] = [
  needed('conmon', 'conmon', 'it monitors every container', [2, 0, 26]),
  {
    name: 'runc',
    look() {
      const found = versionOf('runc');
      if (found === undefined) return absent(this.name, 'runc', 'it runs every container');
      // 1.1.12 fixes CVE-2024-21626 (a leaked descriptor of the host); distributions carry the fix in older numbers.
      if (atLeast(found.numbers, [1, 1, 12]) || /deb\d+u/.test(found.text)) return ok(this.name, found.text);
      return warn(
        this.name,
        found.text,
        'containers of this version can escape (CVE-2024-21626), unless your distribution fixed it',
        'upgrade runc to 1.1.12 or later',
      );
    },
  },
  {
    name: 'crun',
    async look() {
      const found = versionOf('crun');
      if (found === undefined) {
        return ok(this.name, 'not installed (optional: containers start faster with it; runc runs them)');
      }
      const { name, why } = await fastestRuntime({ directory: tmpdir(), cgroupParent: '' });
      if (name === 'crun') return ok(this.name, `${found.text}: the default runtime here, ${why}`);
      return warn(
        this.name,
        found.text,
        `containers run with runc: ${why}`,
        'upgrade crun, or boot with systemd.unified_cgroup_hierarchy=1; --default-runtime=runc is always there',
      );
    },
  },
  needed('ip', 'iproute2', 'it sets up the networks of containers'),
  needed('nft', 'nftables', 'published ports and masquerading are nftables rules'),
  needed('nsenter', 'util-linux', 'it enters the network namespaces of containers'),
  needed('tar', 'tar', 'it makes the first image'),
  {
    name: 'init',
    look() {
      const path = findCommand('docker-init') ?? findCommand('tini-static');
      if (path !== undefined) return ok(this.name, path);
      return warn(
        this.name,
        'no static init',
        'docker run --init is refused',
        'apt-get install tini, or name one with --init-path',
      );
    },
  },
  {
    name: 'seccomp profile',
    look() {
      const path = '/usr/share/containers/seccomp.json';
      if (existsSync(path)) return ok(this.name, path);
      return warn(
        this.name,
        `no ${path}`,
        'system calls of containers are not filtered by default',
        'apt-get install golang-github-containers-common, or name a profile with --seccomp-profile',
      );
    },
  },
  {
    name: 'busybox',
    look() {
      const path = findCommand('busybox');
      if (path !== undefined) return ok(this.name, path);
      return warn(this.name, 'not installed', 'no first image without a network', 'apt-get install busybox-static');
    },
  },
  {
    name: 'docker CLI',
    look() {
      const found = versionOf('docker');
      if (found !== undefined) return ok(this.name, found.text);
      return warn(
        this.name,
        'not installed',
        'the engine serves other clients of the Docker API',
        'install docker-cli from download.docker.com or docker.io from Debian, or use any other client',
      );
    },
  },
];

function needed(command: string, debianPackage: string, purpose: string, minimum?: readonly number[]): Check {
  return {
    name: command,
    look() {
      const path = findCommand(command);
      if (path === undefined) return absent(command, debianPackage, purpose);
      if (minimum === undefined) return ok(command, path);
      const found = versionOf(command);
      if (found !== undefined && atLeast(found.numbers, minimum)) return ok(command, found.text);
      return fail(
        command,
        found?.text ?? path,
        `${purpose}; version ${minimum.join('.')} is needed`,
        `upgrade ${debianPackage}`,
      );
    },
  };
}

function absent(command: string, debianPackage: string, purpose: string): Finding {
  return fail(command, 'not installed', purpose, `apt-get install ${debianPackage}`);
}

interface Version {
  text: string;
  numbers: number[];
}

/** The first line of `--version`; undefined when the program is not installed. */
function versionOf(command: string): Version | undefined {
  const path = findCommand(command);
  if (path === undefined) return undefined;
  try {
    const output = execFileSync(path, ['--version'], { timeout: 5000, stdio: ['ignore', 'pipe', 'ignore'] }).toString();
    const [text = ''] = output.split('\n');
    const commit = /commit: (\S*deb\d+u\S*)/.exec(output)?.[1];
    const numbers = /\d+(?:\.\d+)+/.exec(text)?.[0]?.split('.').map(Number) ?? [];
    return { text: commit === undefined ? text : `${text} (${commit})`, numbers };
  } catch (error) {
    return { text: `${path} --version failed: ${messageOf(error)}`, numbers: [] };
  }
}

export function atLeast(version: readonly number[], minimum: readonly number[]): boolean {
  for (const [index, wanted] of minimum.entries()) {
    const part = version[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
