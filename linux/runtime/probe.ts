import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { cgroupPath } from '../cgroup/hierarchy.js';
import { removeCgroup } from '../cgroup/lifecycle.js';
import { runtimeErrorText } from './errors.js';
import { OciRuntime } from './runtime.js';

export interface ProbeOptions {
  /** The program, as an absolute path. */
  path: string;
  /** An existing directory in which the probe makes one of its own. */
  directory: string;
  /** Below which cgroup; empty: at the root of all. */
  cgroupParent: string;
}

const deadlineMs = 10_000;

/**
 * Asks a runtime on this host for a container, with what every container has: namespaces, limits, rules for devices, a
 * filter for system calls. It is created and deleted; nothing runs in it.
 * @returns why it cannot, in its words; undefined when it can
 */
export async function whyRuntimeFails({ path, directory, cgroupParent }: ProbeOptions): Promise<string | undefined> {
  const place = mkdtempSync(join(directory, 'probe-'));
  const id = `cleat-${basename(place)}`;
  const cgroup = cgroupPath(cgroupParent, id);
  const runtime = new OciRuntime({ name: basename(path), path, root: join(place, 'state'), deadlineMs });
  try {
    mkdirSync(join(place, 'rootfs'));
    writeFileSync(join(place, 'config.json'), JSON.stringify(probeSpec(cgroup)));
    const failure = await create(runtime, id, place);
    await runtime.delete(id, { force: true });
    return failure;
  } catch (error) {
    return messageOf(error);
  } finally {
    removeCgroup(cgroup);
    rmSync(place, { recursive: true, force: true });
  }
}

/** Without pipes: what is created would hold them. */
async function create(runtime: OciRuntime, id: string, bundle: string): Promise<string | undefined> {
  const { runtimePath, runtimeArgs } = runtime.command('create');
  const log = join(bundle, 'log');
  const output = openSync(log, 'a');
  try {
    const child = spawn(runtimePath, [...runtimeArgs, 'create', '--bundle', bundle, id], {
      stdio: ['ignore', output, output],
    });
    const late = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    try {
      const [code] = (await once(child, 'exit')) as [number | null];
      if (code === 0) return undefined;
      return code === null ? `it did not answer within ${deadlineMs} ms` : runtimeErrorText(readFileSync(log, 'utf8'));
    } finally {
      clearTimeout(late);
    }
  } finally {
    closeSync(output);
  }
}

function probeSpec(cgroupsPath: string): object {
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      // It is never started, but must be there.
      args: ['/program'],
      env: ['PATH=/', 'HOME=/'],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: Object.fromEntries(['bounding', 'effective', 'permitted'].map((set) => [set, ['CAP_KILL']])),
    },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/program', type: 'bind', source: process.execPath, options: ['bind', 'ro'] },
    ],
    linux: {
      cgroupsPath,
      namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })),
      resources: { devices: [{ allow: false, access: 'rwm' }], pids: { limit: 16 } },
      seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['kexec_load'], action: 'SCMP_ACT_ERRNO' }] },
      maskedPaths: ['/proc/keys'],
      readonlyPaths: ['/proc/sys'],
    },
  };
}
