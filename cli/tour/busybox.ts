import { execFile, execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCommand } from '@cleat/linux/host';
import { notFound } from '@cleat/protocol/errors';
import { isStaticProgram } from '../static-program.js';

/**
 * A first root file system without any network: the host's static busybox, with its applets as links.
 * @returns a tar for `docker import`.
 * @throws CleatError NotFound when there is no static busybox.
 */
export async function busyboxTar(): Promise<Buffer> {
  const busybox = findCommand('busybox');
  if (busybox === undefined || !isStaticProgram(busybox)) {
    throw notFound('there is no static busybox on this host: apt-get install busybox-static');
  }
  const root = await mkdtemp(join(tmpdir(), 'cleat-busybox-'));
  try {
    for (const directory of ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'tmp', 'usr', 'usr/bin', 'var']) {
      await mkdir(join(root, directory));
    }
    await chmod(join(root, 'tmp'), 0o1777);
    await copyFile(busybox, join(root, 'bin/busybox'));
    await chmod(join(root, 'bin/busybox'), 0o755);
    for (const applet of execFileSync(busybox, ['--list']).toString().split('\n')) {
      if (applet !== '' && applet !== 'busybox') await symlink('/bin/busybox', join(root, 'bin', applet));
    }
    await symlink('/bin/env', join(root, 'usr/bin/env'));
    await writeFile(
      join(root, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
    );
    await writeFile(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
    const { stdout } = await promisify(execFile)(
      'tar',
      ['--create', '--directory', root, '--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0', '.'],
      { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 },
    );
    return stdout;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
