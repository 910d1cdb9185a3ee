import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linux, sandboxesForTests } from './sandbox.fixture.js';

const sandboxes = sandboxesForTests();

const status = (field: string) => `grep ${field} /proc/self/status`;

describe('everything is denied that is not asked for, and the rest is there', () => {
  const namespace = (type: string) => readlinkSync(`/proc/self/ns/${type}`);

  test('network', async () => {
    const script = 'readlink /proc/self/ns/net; cat /proc/net/dev | grep :; cat /etc/hosts | grep -c localhost';
    for (const Type of ['', 'none', 'null']) {
      const [net, ...devices] = (await sandboxes.output(script, { manifest: { Network: { Type } } })).split('\n');
      expect(net).not.toBe(namespace('net'));
      expect(devices.filter((line) => line.includes(':'))).toEqual([expect.stringMatching(/^\s*lo:/)]);
    }
    // Without the list: a host may have so many interfaces that the first line is not among the latest ones.
    const host = await sandboxes.output('readlink /proc/self/ns/net', { manifest: { Network: { Type: 'host' } } });
    expect(host.trim()).toBe(namespace('net'));
  });

  test('processes and IPC of the host', async () => {
    const script = `readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; kill -0 ${process.pid} && echo reached`;
    const own = await sandboxes.output(script);
    expect(own).not.toContain(namespace('pid'));
    expect(own).not.toContain(namespace('ipc'));
    expect(own).not.toContain('reached');
    const asked = await sandboxes.output(script, { manifest: { PidHost: true, IpcHost: true } });
    expect(asked).toContain(namespace('pid'));
    expect(asked).toContain(namespace('ipc'));
    expect(asked).toContain('reached');
  });

  test('files of the host', async () => {
    const file = join(sandboxes.directory, 'of-the-host');
    writeFileSync(file, 'its content');
    expect(await sandboxes.output(`cat ${file} || echo denied`)).toContain('denied');
    const mount = { Name: 'file', Description: '', Source: file, Destination: file, Type: 'bind' };
    const mounts = (...Options: string[]) => ({ manifest: { Mounts: [{ ...mount, Options, Settable: null }] } });
    const script = `cat ${file}; echo more >>${file} || echo denied`;
    expect(await sandboxes.output(script, mounts('bind', 'ro'))).toContain('denied');
    expect(await sandboxes.output(script, mounts('bind', 'rw'))).toBe('its content');
    expect(readFileSync(file, 'utf8')).toBe('its contentmore\n');
  });

  test('devices', async () => {
    // The host's: of the kernel's own file systems, which nobody has by default.
    const script = 'true </dev/null && echo usual; mknod /tmp/fuse c 10 229; true </tmp/fuse && echo reached';
    expect(await sandboxes.output(script)).toMatch(/usual[\s\S]*Operation not permitted/);
    const all = await sandboxes.output(script, { manifest: linux({ AllowAllDevices: true }) });
    expect(all).not.toContain('not permitted');
    const devices = [{ Name: 'd', Description: '', Path: '/dev/none', Settable: ['path'] }];
    const given = { manifest: linux({ Devices: devices }), set: ['d=/dev/fuse'] };
    expect(await sandboxes.output('true </dev/fuse && echo reached', given)).toBe('reached');
  });

  test('capabilities, and system calls that belong to them', async () => {
    const script = `mount -t tmpfs none /mnt && echo mounted; ${status('Cap')}`;
    const without = await sandboxes.output(script);
    expect(without).toContain('permission denied');
    // Docker's default set.
    expect(without).toMatch(/CapBnd:\s+00000000a80425fb/);
    expect(without).toMatch(/CapInh:\s+0{16}/);
    const granted = await sandboxes.output(script, { manifest: linux({ Capabilities: ['CAP_SYS_ADMIN'] }) });
    expect(granted).toContain('mounted');
    expect(granted).toMatch(/CapEff:\s+00000000a82425fb/);
  });

  test('root: with a user it holds what it asked for, and nothing else', async () => {
    const script = `id -u; id -g; touch /run/docker/plugins/x && echo made; touch /y || echo denied; ${status('Cap')}; ${status('Groups')}`;
    const user = { User: { UID: 1234, GID: 4321 } };
    const plain = await sandboxes.output(script, { manifest: user });
    expect(plain).toMatch(/^1234\n4321\nmade\n/);
    expect(plain).toContain('denied');
    expect(plain).toMatch(/CapEff:\s+0{16}/);
    const asked = await sandboxes.output(script, {
      manifest: { ...user, ...linux({ Capabilities: ['CAP_NET_ADMIN'] }) },
    });
    expect(asked).toMatch(/CapEff:\s+0000000000001000/);
    expect(asked).toMatch(/CapBnd:\s+00000000a80435fb/);
  });

  test('files that are masked, read-only or filtered in a container are here, too', async () => {
    const script =
      'head -c 1 /proc/kcore | grep -c . ; echo 1 >/proc/sys/vm/drop_caches || echo read-only; touch /sys/x || echo sys; ' +
      status('Seccomp:');
    const output = await sandboxes.output(script);
    expect(output).toContain('read-only');
    expect(output).toContain('sys');
    expect(output).toMatch(/Seccomp:\s+2/);
  });
});
