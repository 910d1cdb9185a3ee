import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Helper } from '@cleat/linux/helper/helper';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { run } from '@cleat/linux/process/run';
import { volumeKind } from '@cleat/sdk';
import { startForTest } from '@cleat/sdk/testing';
import { describe, expect, test } from 'vitest';
import { BackEnd, endServersBelow, rcloneInstalled, serversBelow } from './back-end.fixture.js';
import rcloneVolume from './rclone-volume.js';

const helper = new Helper({ idleMs: 1000 });

/** A back end, and where a plugin keeps what it has. Each test has its own, since most of each is waiting: several at once. */
class Place implements AsyncDisposable {
  readonly directory = mkdtempSync('/tmp/cleat-rclone-volume-');
  readonly root = join(this.directory, 'root');
  readonly backEnd = new BackEnd(this.directory);

  static async make(): Promise<Place> {
    const place = new Place();
    mkdirSync(join(place.backEnd.files, 'data'));
    await place.backEnd.start();
    return place;
  }

  mounts = () => listMounts(this.root).map(({ target }) => target);
  /** The rest that a failed call left. */
  left = () => ({ mounts: this.mounts(), servers: serversBelow(this.root) });

  async [Symbol.asyncDispose](): Promise<void> {
    await this.backEnd.stop();
    endServersBelow(this.directory);
  }
}

/** By processes of their own: the file system may be dead. */
const read = async (path: string) => (await helper.call('readFileInRoot', { root: '/', path })).text;
const write = async (path: string, text: string) => {
  const { code, stderr } = await run('dd', [`of=${path}`, 'conv=notrunc', 'status=none'], { input: text });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
};

describe.skipIf(!rcloneInstalled).each(['in-process', 'socket'] as const)(
  'rclone-volume, %s',
  { concurrent: true },
  (carrier) => {
    const start = async ({ root, backEnd }: Place) => {
      const options = { root, config: backEnd.config };
      const plugin = await startForTest(rcloneVolume, { name: 'rclone-volume', carrier, options });
      const driver = plugin.client(volumeKind);
      return {
        driver,
        mount: async (ID: string) => (await driver.Mount({ Name: 'cloud', ID })).Mountpoint ?? '',
        unmount: (ID: string) => driver.Unmount({ Name: 'cloud', ID }),
        status: async () => (await driver.Get({ Name: 'cloud' })).Volume?.Status,
        [Symbol.asyncDispose]: () => plugin.close(),
      };
    };
    const Opts = { remote: 'box:data' };

    test('containers share one mount, through a restart, until the last one leaves; Remove keeps the data', async ({
      expect,
    }) => {
      await using place = await Place.make();
      const { root, backEnd, mounts, left } = place;
      let target: string;
      {
        await using plugin = await start(place);
        await plugin.driver.Create({ Name: 'cloud', Opts });
        // Both at once.
        const targets = await Promise.all([plugin.mount('one'), plugin.mount('two')]);
        target = targets[0];
        expect(targets[1]).toBe(target);
        expect(serversBelow(root)).toHaveLength(1);
        // A Mount that is repeated, because nobody heard the first answer.
        await plugin.mount('two');
        await write(join(target, 'file'), 'through rclone');
        expect(mounts()).toEqual([target]);
      }
      const [server] = serversBelow(root);
      await using plugin = await start(place);
      expect(await read(join(target, 'file'))).toBe('through rclone');
      expect(await plugin.status()).toMatchObject({ Remote: 'box:data', Mounted: true, Holders: 2 });
      await plugin.mount('three');
      expect(serversBelow(root)).toEqual([server]);
      await plugin.unmount('two');
      await plugin.unmount('two');
      await plugin.unmount('three');
      expect(await read(join(target, 'file'))).toBe('through rclone');
      await write(join(target, 'last'), 'words');
      await plugin.unmount('one');
      // At once: with its container's end it is there.
      expect(readFileSync(join(backEnd.files, 'data/last'), 'utf8')).toBe('words');
      expect(mounts()).toEqual([]);
      await plugin.driver.Remove({ Name: 'cloud' });
      await expect.poll(left).toEqual({ mounts: [], servers: [] });
      expect(readdirSync(join(root, 'volumes'))).toEqual([]);
      expect(readdirSync(join(backEnd.files, 'data')).sort()).toEqual(['file', 'last']);
    });

    test('a back end that is away or silent: Mount says so and leaves nothing; when it is back all is well', async ({
      expect,
    }) => {
      await using place = await Place.make();
      const { backEnd, left } = place;
      await using plugin = await start(place);
      await plugin.driver.Create({ Name: 'cloud', Opts });
      await backEnd.stop();
      await expect(plugin.mount('one')).rejects.toThrow(
        /^the back end of volume cloud \(box:data\) does not answer, start the container again when it is back: .*connection refused$/,
      );
      expect(left()).toEqual({ mounts: [], servers: [] });
      expect((await plugin.driver.List({})).Volumes).toMatchObject([{ Name: 'cloud' }]);
      expect(await plugin.status()).toEqual({ Remote: 'box:data', Mounted: false, Holders: 0, Unsent: 0 });
      await backEnd.start();
      backEnd.pause();
      await expect(plugin.mount('two')).rejects.toThrow('does not answer, start the container again when it is back: ');
      expect(left()).toEqual({ mounts: [], servers: [] });
      await backEnd.stop();
      await backEnd.start();
      await write(join(await plugin.mount('three'), 'file'), 'as ever');
      await plugin.unmount('three');
      expect(readFileSync(join(backEnd.files, 'data/file'), 'utf8')).toBe('as ever');
    });

    test('a back end that blips while a container runs: what is written meanwhile goes there when it is back', async ({
      expect,
    }) => {
      await using place = await Place.make();
      const { backEnd, mounts } = place;
      await using plugin = await start(place);
      await plugin.driver.Create({ Name: 'cloud', Opts });
      const target = await plugin.mount('one');
      const writer = spawn('sh', [
        '-c',
        'exec 3> "$0"; echo opened; read go; echo kept >&3',
        join(target, 'meanwhile'),
      ]);
      await once(writer.stdout, 'data');
      await backEnd.stop();
      writer.stdin.end('go\n');
      expect(await once(writer, 'exit')).toEqual([0, null]);
      expect(await plugin.status()).toMatchObject({ Mounted: true, Unsent: 1 });
      await expect(plugin.driver.Remove({ Name: 'cloud' })).rejects.toThrow(
        'has what is not at its back end yet (files: 1): ',
      );
      // The container ends, and waits for nobody for long.
      await plugin.unmount('one');
      expect(mounts()).toEqual([]);
      await backEnd.start();
      await plugin.mount('two');
      const there = join(backEnd.files, 'data/meanwhile');
      await expect.poll(() => (existsSync(there) ? readFileSync(there, 'utf8') : '')).toBe('kept\n');
      await expect.poll(plugin.status).toMatchObject({ Unsent: 0 });
    });

    test.for(['SIGKILL', 'SIGSTOP'] as const)(
      'a file system that was ended by %s is mounted anew',
      async (signal, { expect }) => {
        await using place = await Place.make();
        const { root, mounts } = place;
        await using plugin = await start(place);
        await plugin.driver.Create({ Name: 'cloud', Opts });
        const target = await plugin.mount('one');
        const [dead = 0] = serversBelow(root);
        process.kill(dead, signal);
        expect(await plugin.mount('two')).toBe(target);
        await expect.poll(() => serversBelow(root)).not.toContain(dead);
        expect(mounts()).toEqual([target]);
        await write(join(target, 'file'), 'anew');
        // The holder of the mount leaves later.
        await plugin.unmount('one');
        expect(await read(join(target, 'file'))).toBe('anew');
        await plugin.unmount('two');
        expect(mounts()).toEqual([]);
      },
    );

    test('work that was begun when the plugin was killed is ended at the next start; another boot holds nothing', async ({
      expect,
    }) => {
      await using place = await Place.make();
      const { root, mounts, left } = place;
      {
        await using plugin = await start(place);
        await plugin.driver.Create({ Name: 'cloud', Opts });
        await plugin.mount('one');
      }
      const journal = join(root, 'mounts.journal');
      const rewrite = (from: RegExp, to: string) =>
        writeFileSync(journal, readFileSync(journal, 'utf8').replaceAll(from, to));
      rewrite(/"ids":\["one"\]/g, '"ids":[]');
      {
        await using plugin = await start(place);
        await expect.poll(left).toEqual({ mounts: [], servers: [] });
        await plugin.mount('two');
      }
      rewrite(/"boot":"[^"]+"/g, '"boot":"earlier"');
      await using plugin = await start(place);
      expect(mounts()).toEqual([]);
      expect(await plugin.status()).toMatchObject({ Mounted: false, Holders: 0 });
    });

    test('a remote that is not the operator’s is refused', async ({ expect }) => {
      await using place = await Place.make();
      await using plugin = await start(place);
      const create = (Opts: Record<string, string>) => plugin.driver.Create({ Name: 'odd', Opts });
      const forms = ['/etc', ':local:/etc', 'box,url=http://127.0.0.1:9:data', '--config:x', 'box', 'box:a\nb'];
      for (const remote of forms) await expect(create({ remote })).rejects.toThrow('must be of the form NAME:PATH');
      await expect(create({ remote: 'crate:data' })).rejects.toThrow('rclone knows no remote crate: add it');
      await expect(create({})).rejects.toThrow('needs the option remote');
      await expect(create({ ...Opts, colour: 'red' })).rejects.toThrow('has no option colour; it has remote');
      expect((await plugin.driver.List({})).Volumes).toEqual([]);
    });
  },
);
