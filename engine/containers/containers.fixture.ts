/** The room with a real store, journal, runtime and conmon, and small stand-ins for its neighbours; for its tests. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Extensions } from '@cleat/extensions/service';
import { HeldPath } from '@cleat/linux/helper/held-path';
import { Helper } from '@cleat/linux/helper/helper';
import { unmountAll } from '@cleat/linux/mount/mount';
import type { EventMessage } from '@cleat/protocol/api/event';
import { notFound } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import type { EngineConfig } from '../config.js';
import { openEvents } from '../events/index.js';
import type { Events } from '../events/service.js';
import type { ImageId } from '../ids.js';
import type { ImageHost, Images } from '../images/service.js';
import type { NetworkHost, Networks } from '../networks/service.js';
import type { Spool } from '../spool/service.js';
import { openStore } from '../store/index.js';
import type { Store } from '../store/service.js';
import type { AttachSession } from '../streams/service.js';
import type { VolumeHost, Volumes } from '../volumes/service.js';
import { openContainers, Registry } from './index.js';
import type { ContainerHost, Containers } from './service.js';

/** A part that a test should not reach throws. */
function partial<T extends object>(name: string, members: Partial<T>): T {
  return new Proxy(members as T, {
    get(target, key) {
      if (key in target || typeof key === 'symbol') return Reflect.get(target, key);
      throw new Error(`${name}.${key} is not part of this test's stand-in`);
    },
  });
}

export class TestEngine implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'cleat-ctr-'));
  readonly config: EngineConfig;
  readonly calls: string[] = [];
  readonly helper = new Helper();
  /** Overrides of the volumes' stand-in. */
  mountVolume: (name: string) => Promise<{ path: string; driver: string }> = async (name) => {
    const path = join(this.directory, 'vol', name);
    mkdirSync(path, { recursive: true });
    return { path, driver: 'local' };
  };
  unmountVolume: () => Promise<void> = async () => {};
  readonly imageConfig = { Cmd: ['sh'], Env: ['PATH=/bin'] };
  /** Names of volumes by the ID of their mount. */
  readonly #mounted = new Map<string, string>();
  #store: Store | undefined;
  events: Events | undefined;
  #containers: (Containers & ContainerHost) | undefined;

  constructor(config: Partial<EngineConfig> = {}) {
    const dataRoot = join(this.directory, 'data');
    const execRoot = join(this.directory, 'exec');
    const layer = join(dataRoot, 'layers', 'busybox');
    for (const name of ['bin', 'etc', 'tmp', 'full']) mkdirSync(join(layer, name), { recursive: true });
    copyFileSync('/bin/busybox', join(layer, 'bin/busybox'));
    for (const name of 'sh,true,cat,echo,sleep,id,ls,env,seq,stty,kill,wc,mount,pwd,touch,trap,test,hostname'.split(
      ',',
    )) {
      symlinkSync('busybox', join(layer, 'bin', name));
    }
    writeFileSync(join(layer, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n');
    writeFileSync(join(layer, 'etc/group'), 'root:x:0:\nwheel:x:10:root\nusers:x:100:user\nuser:x:1000:\n');
    writeFileSync(join(layer, 'full/file'), 'from the image');
    mkdirSync(execRoot, { recursive: true });
    this.config = {
      dataRoot,
      execRoot,
      runtimes: { runc: { path: 'runc' } },
      defaultRuntime: 'runc',
      cgroupParent: 'cleat-test',
      cgroupDriver: 'cgroupfs',
      defaultCgroupnsMode: 'host',
      defaultIpcMode: 'private',
      defaultShmSize: 67_108_864,
      defaultUlimits: {},
      init: false,
      logDriver: 'json-file',
      logBacklog: 1e9,
      logOpts: {},
      noNewPrivileges: false,
      ...config,
    } as EngineConfig;
  }

  async open(): Promise<Containers & ContainerHost> {
    this.#store ??= await openStore(join(this.directory, 'store'));
    this.events ??= await openEvents({ directory: join(this.directory, 'events'), log: silentLogger });
    // The former engine lets go, as if it had been killed.
    await this.#containers?.shutdown({ liveRestore: true, timeout: 0 });
    this.#containers = openContainers({
      registry: new Registry(this.#store),
      config: this.config,
      log: { ...silentLogger, warn: (text, fields) => void this.calls.push(`warn: ${text} ${JSON.stringify(fields)}`) },
      events: this.events,
      helper: this.helper,
      extensions: partial<Extensions>('extensions', { arrival: async () => {} }),
      images: partial<Images & ImageHost>('images', {
        resolve: (ref) => {
          if (!ref.startsWith('busybox')) throw notFound(`No such image: ${ref}:latest`);
          return { id: 'sha256:abc' as ImageId, config: this.imageConfig, os: 'linux', architecture: 'amd64' };
        },
        layerPaths: () => [join(this.config.dataRoot, 'layers', 'busybox')],
      }),
      networks: this.#networks(),
      volumes: this.#volumes(),
      spool: this.#spool(),
    });
    await this.#containers.recover();
    return this.#containers;
  }

  #networks(): Networks & NetworkHost {
    return partial<Networks & NetworkHost>('networks', {
      requested: (mode) => ({ mode, endpoints: {} }),
      defaultNetwork: 'bridge',
      inspect: async () => {
        throw notFound('network bridge not found');
      },
      async rename() {},
      async relink() {},
      attach: async ({ containerId, endpoints }) => {
        this.calls.push(`attach ${containerId}`);
        return {
          namespace: { kind: 'own' as const },
          hostsPath: '',
          hostnamePath: '',
          resolvConfPath: '',
          ready: Promise.resolve(),
          endpoints,
        };
      },
      detach: async (id) => void this.calls.push(`detach ${id}`),
      adopt: async (id) => void this.calls.push(`adopt ${id}`),
      reconcile: async () => {},
      settings: () => ({ sandboxId: '', sandboxKey: '', ports: {}, networks: {} }),
      revision: 0,
    });
  }

  #volumes(): Volumes & VolumeHost {
    return partial<Volumes & VolumeHost>('volumes', {
      create: async ({ Name = '' }) => ({
        Name,
        Driver: 'local',
        Mountpoint: '',
        Labels: null,
        Options: null,
        Scope: 'local',
      }),
      mount: async (name, { mountId }) => {
        this.calls.push(`mount ${name}`);
        this.#mounted.set(mountId, name);
        const mounted = await this.mountVolume(name);
        return { ...mounted, source: HeldPath.unheld(mounted.path) };
      },
      unmount: async ({ mountId }) => {
        await this.unmountVolume();
        this.calls.push(`unmount ${this.#mounted.get(mountId)}`);
      },
      remove: async (name) => void this.calls.push(`remove ${name}`),
      adopt: (name) => void this.calls.push(`adopt ${name}`),
      reconcile() {},
    });
  }

  /** Reads the whole log once the container has ended. */
  #spool(): Spool {
    const dead = new Set<string>();
    const path = (id: string) => join(this.config.dataRoot, 'containers', id, 'log');
    return partial<Spool>('spool', {
      checkDriver: () => Promise.resolve(),
      pathFor: path,
      position: () => ({ generation: 0, offset: 0 }),
      beginning: () => ({ generation: 0, offset: 0 }),
      began: (id) => void dead.delete(id),
      ended: (id) => void dead.add(id),
      wake() {},
      startDriver: async () => {},
      resumeDriver: () => {},
      recover: () => {},
      owes: () => false,
      deliveries: () => [],
      warnings: () => [],
      remove: async () => {},
      stream: (id, { signal }) =>
        (async function* () {
          while (!dead.has(id) && !signal.aborted) await sleep(5);
          if (signal.aborted || !existsSync(path(id))) return;
          for (const line of readFileSync(path(id), 'utf8').split('\n')) {
            const match = /^\S+ (stdout|stderr) ([FP]) (.*)$/s.exec(line);
            if (!match) continue;
            const data = Buffer.from(`${match[3]}${match[2] === 'F' ? '\n' : ''}`);
            yield {
              stream: match[1] === 'stdout' ? (1 as const) : (2 as const),
              data,
              next: { generation: 0, offset: 1 },
            };
          }
        })(),
    });
  }

  /** `docker run`: created, attached to, started, waited for. */
  async run(command: string[], more: object = {}): Promise<{ id: string; output: string; code: number }> {
    const containers = this.#containers ?? (await this.open());
    const { Id: id } = await containers.create({ Image: 'busybox', Cmd: command, ...more }, {});
    const output = collect(await containers.attach(id, all));
    const exit = containers.wait(id, 'next-exit', AbortSignal.timeout(20_000));
    // Where it does not start, nobody awaits its end.
    exit.result.catch(() => {});
    await containers.start(id);
    const { StatusCode: code } = await exit.result;
    return { id, output: await output, code };
  }

  /** Actions of all events so far about `id`. */
  async history(id: string): Promise<EventMessage[]> {
    const list: EventMessage[] = [];
    const query = { since: 0, until: Date.now() / 1000 + 1, filters: {}, signal: AbortSignal.timeout(1500) };
    for await (const batch of this.events?.subscribe(query) ?? []) {
      list.push(...batch.filter(({ Actor }) => Actor.ID === id));
    }
    return list;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { Id } of (await this.#containers?.list({ all: true, size: false, filters: {} })) ?? []) {
      await this.#containers?.remove(Id, { force: true, volumes: false, link: false });
    }
    await this.#containers?.shutdown({ liveRestore: true, timeout: 1 });
    await this.helper.close();
    await this.events?.close();
    await this.#store?.close();
    unmountAll(this.directory);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export const all = { logs: false, stream: true, stdin: false, stdout: true, stderr: true };

export async function collect(session: AttachSession): Promise<string> {
  let text = '';
  for await (const { data } of session.output) text += Buffer.from(data).toString();
  return text;
}
