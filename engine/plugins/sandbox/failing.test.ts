import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bind, unmount } from '@cleat/linux/mount/mount';
import { silentLogger } from '@cleat/protocol/log';
import { describe, expect, test } from 'vitest';
import { newId, type PluginId } from '../../ids.js';
import type { Plugin } from '../registry.js';
import { HostSandboxes } from '../running/host-sandboxes.js';
import { PluginPlaces } from './places.js';
import { linux, Sandboxes, sandboxesForTests } from './sandbox.fixture.js';

const sandboxes = sandboxesForTests();

describe('a launch that fails at any step leaves nothing, and says why', () => {
  const failing = async (given: Parameters<Sandboxes['launcher']>[1], text: string | RegExp, script = 'sleep 100') => {
    const launcher = sandboxes.launcher(script, given);
    await expect(launcher.launch(new AbortController().signal)).rejects.toThrow(text);
    await launcher.close();
    sandboxes.expectNothingLeft(launcher.places.id);
  };
  const wrapper = (name: string, script: string) => {
    const path = join(sandboxes.directory, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  };
  test('a source that is missing', () =>
    failing(
      {
        manifest: {
          Mounts: [
            {
              Name: 'state',
              Description: '',
              Source: '/nowhere/at/all',
              Destination: '/s',
              Type: 'bind',
              Options: ['rbind'],
              Settable: null,
            },
          ],
        },
      },
      'the source of its mount "state" is not there: bind source path does not exist: /nowhere/at/all',
    ));
  test('a device that is missing', () =>
    failing(
      { manifest: linux({ Devices: [{ Name: 'd', Description: '', Path: '/dev/nothing', Settable: null }] }) },
      /its device "d" is not there: .*\/dev\/nothing.*no such file/,
    ));
  test('a network that is missing', () =>
    failing({ manifest: { Network: { Type: 'bridge' } } }, 'there is no network here'));
  test('a network of an unknown type', () =>
    failing({ manifest: { Network: { Type: 'vxlan' } } }, 'no network of type "vxlan"'));
  test('a protocol of another kind', () =>
    failing(
      { manifest: { Interface: { Types: [], Socket: 's', ProtocolScheme: 'grpc' } } },
      'its protocol "grpc" is not spoken here',
    ));
  test('a program that is missing', () => failing({ manifest: { Entrypoint: ['/bin/nothing'] } }, /nothing/));
  test('no program', () => failing({ manifest: { Entrypoint: null } }, 'no Entrypoint'));
  test('a mount over /proc', () =>
    failing(
      {
        manifest: {
          Mounts: [
            {
              Name: '',
              Description: '',
              Source: '/tmp',
              Destination: '/proc/sys',
              Type: 'bind',
              Options: ['rbind'],
              Settable: null,
            },
          ],
        },
      },
      'inside /proc',
    ));
  test('a stacked file system', () =>
    failing(
      {
        manifest: {
          Mounts: [
            {
              Name: 'o',
              Description: '',
              Source: 'overlay',
              Destination: '/o',
              Type: 'overlay',
              Options: ['lowerdir=/root:/etc'],
              Settable: null,
            },
          ],
        },
      },
      'is of type overlay',
    ));
  test('no conmon', () => failing({ deps: { conmonPath: '/no/conmon' } }, 'conmon cannot be started'));
  test('an account file without an end', async () => {
    const other = new Sandboxes();
    await using _ = other;
    const plugin = other.plugin('true');
    symlinkSync('/dev/zero', join(other.layer, 'etc/group'));
    const launcher = other.launcher('true', { id: plugin.id });
    await expect(launcher.launch(new AbortController().signal)).rejects.toThrow('/etc/group of the container');
    await launcher.close();
    other.expectNothingLeft(plugin.id);
  });
  test.each([
    ['create', 'for each; do [ "$each" = create ] && { echo "will not" >&2; exit 1; }; done; exec runc "$@"'],
    ['start', 'for each; do [ "$each" = start ] && { echo "will not" >&2; exit 1; }; done; exec runc "$@"'],
  ])('a runtime that refuses to %s', async (name, script) => {
    await using other = new Sandboxes(wrapper(`refuses-${name}`, script));
    const launcher = other.launcher('sleep 100');
    await expect(launcher.launch(new AbortController().signal)).rejects.toThrow('will not');
    await launcher.close();
    other.expectNothingLeft(launcher.places.id);
  });
  test('a plugin that is no longer wanted', async () => {
    const launcher = sandboxes.launcher('sleep 100');
    const stop = new AbortController();
    const launching = launcher.launch(stop.signal);
    stop.abort();
    await expect(launching).rejects.toMatchObject({ class: 'Cancelled' });
    await launcher.close();
    sandboxes.expectNothingLeft(launcher.places.id);
  });
});

test('an end that cannot be read is told all the same, and it can be started again', async () => {
  const { launcher, launched } = await sandboxes.run('sleep 100');
  // conmon puts no file in its place, and reading it fails, as without descriptors (EMFILE).
  mkdirSync(join(launcher.places.exits, launcher.places.id));
  process.kill(launched.pid, 'SIGKILL');
  expect(await launched.ended).toBe('it ended, and nobody could read how: read: is a directory');
  const again = await launcher.launch(new AbortController().signal);
  await again.stop(0);
  await launcher.close();
  sandboxes.expectNothingLeft(launcher.places.id);
});

test('a mount that cannot be unmounted is not removed with what is in it', async () => {
  const id = newId<PluginId>();
  const { deps, directory } = sandboxes;
  const none = { get: () => undefined, path: () => '' };
  const extensions = { logger: () => silentLogger, earlierLogger: () => silentLogger };
  const all = new HostSandboxes({ ...deps, layers: none, extensions });
  const plugin = { id } as Plugin;
  const data = join(directory, 'data-of-somebody');
  const mounted = join(new PluginPlaces(deps.config, id).directory, 'upper/elsewhere');
  for (const path of [data, mounted]) mkdirSync(path, { recursive: true });
  writeFileSync(join(data, 'file'), 'kept');
  bind(data, mounted);
  await expect(all.erase(plugin)).rejects.toThrow(`${mounted} cannot be unmounted`);
  expect(readdirSync(data)).toEqual(['file']);
  unmount(mounted);
  await all.erase(plugin);
  expect(existsSync(mounted)).toBe(false);
});
