/** Sandboxes with a real runtime and conmon, of a root file system with busybox; for tests. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Launched } from '@cleat/extensions/supervisor/launcher';
import { cgroupPath } from '@cleat/linux/cgroup/hierarchy';
import { processesIn } from '@cleat/linux/cgroup/lifecycle';
import { Helper } from '@cleat/linux/helper/helper';
import { findCommand } from '@cleat/linux/host';
import { unmountAll } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import type { OciRuntime } from '@cleat/linux/runtime/runtime';
import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { type Logger, silentLogger } from '@cleat/protocol/log';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { applySettings, defaultSettings } from '@cleat/protocol/plugins/settings';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';
import { newId } from '../../ids.js';
import { Runtimes } from '../../oci/runtimes.js';
import { SandboxLauncher } from './launcher.js';
import type { OutputLine } from './output.js';
import { bundleName, pluginRuntimeRoot } from './places.js';
import type { SandboxDeps, SandboxedPlugin } from './types.js';

export interface Given {
  /** Members of the manifest beside those that every plugin has. */
  manifest?: Partial<PluginManifest>;
  /** As the arguments of `docker plugin set`. */
  set?: readonly string[];
  id?: string;
  layers?: readonly string[];
  deps?: Partial<SandboxDeps>;
}

const applets =
  'sh cat echo rm sleep id ls mount umount mknod grep head kill nc wget touch mkdir readlink hostname chown env pwd trap true seq yes ln dd test'.split(
    ' ',
  );

/** For the tests of a file: each begins without lines and must end without warnings; nothing is left of them. */
export function sandboxesForTests(): Sandboxes {
  const sandboxes = new Sandboxes();
  beforeEach(() => {
    sandboxes.lines.length = 0;
    sandboxes.warnings.length = 0;
  });
  afterEach(() => expect(sandboxes.warnings).toEqual([]));
  afterAll(() => sandboxes[Symbol.asyncDispose]());
  return sandboxes;
}

/** The part of a manifest about devices and capabilities. */
export const linux = (more: object) => ({
  Linux: { AllowAllDevices: false, Capabilities: null, Devices: null, ...more },
});

export class Sandboxes implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'cleat-sbx-'));
  readonly layer = join(this.directory, 'layer');
  readonly lines: string[] = [];
  readonly warnings: string[] = [];
  readonly #helper = new Helper();
  readonly #launchers: SandboxLauncher[] = [];
  readonly #runtime: string;

  constructor(runtime = findCommand('crun') ? 'crun' : 'runc') {
    this.#runtime = runtime;
    for (const name of ['bin', 'etc', 'tmp', 'mnt', 'data']) mkdirSync(join(this.layer, name), { recursive: true });
    copyFileSync('/bin/busybox', join(this.layer, 'bin/busybox'));
    for (const name of applets) symlinkSync('busybox', join(this.layer, 'bin', name));
    writeFileSync(join(this.layer, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    mkdirSync(this.execRoot, { recursive: true });
  }

  get dataRoot(): string {
    return join(this.directory, 'data');
  }

  get execRoot(): string {
    return join(this.directory, 'x');
  }

  /** A plugin that runs `script`, with the members of a manifest that every one has here. */
  plugin(
    script: string,
    { manifest = {}, set = [], id = newId(), layers = [this.layer] }: Given = {},
  ): SandboxedPlugin {
    const text = JSON.stringify({
      Entrypoint: ['/bin/sh', '-c', script],
      Interface: { Types: ['docker.volumedriver/1.0'], Socket: 'p.sock' },
      Network: { Type: 'none' },
      ...manifest,
    });
    const read = readManifest(text, 'lenient');
    const settings = applySettings(read, defaultSettings(read), set);
    return { id, name: 'test/plugin:latest', manifest: read, settings, layers };
  }

  get deps(): SandboxDeps {
    const { execRoot, dataRoot } = this;
    const config = {
      dataRoot,
      execRoot,
      cgroupParent: 'cleat-test',
      cgroupDriver: 'cgroupfs',
      defaultCgroupnsMode: 'host' as const,
      defaultRuntime: this.#runtime,
      seccompProfile: undefined,
      runtimes: { [this.#runtime]: { path: this.#runtime } },
    };
    return {
      config,
      log: this.#log(this.warnings, 'warn'),
      runtimes: new Runtimes(config, (name) => pluginRuntimeRoot(config, name)),
      helper: this.#helper,
      network: {
        attach: async () => Promise.reject(new Error('there is no network here')),
        adopt: async () => {},
        detach: async () => {},
      },
    };
  }

  /** Parts of an engine that is killed once it has started a plugin: it clears nothing up. */
  get doomed(): Partial<SandboxDeps> {
    const { runtimes } = this.deps;
    const hanging = (runtime: OciRuntime): OciRuntime =>
      new Proxy(runtime, {
        get: (target, key) => {
          if (key === 'delete') return () => new Promise(() => {});
          const value: unknown = Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    return {
      runtimes: new Proxy(runtimes, {
        get: (target, key) => {
          if (key === 'get') return (name: string) => hanging(target.get(name));
          const value: unknown = Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
    };
  }

  launcher(script: string, given: Given = {}, onEarlier?: (lines: readonly OutputLine[]) => void): SandboxLauncher {
    const launcher = new SandboxLauncher({
      deps: { ...this.deps, ...given.deps },
      plugin: this.plugin(script, given),
      log: this.#log(this.lines, 'info'),
      ...(onEarlier && { onEarlier }),
    });
    // A killed one does nothing from then on.
    if (!given.deps?.runtimes) this.#launchers.push(launcher);
    return launcher;
  }

  async run(script: string, given: Given = {}): Promise<{ launcher: SandboxLauncher; launched: Launched }> {
    const launcher = this.launcher(script, given);
    return { launcher, launched: await launcher.launch(new AbortController().signal) };
  }

  /** Runs it to its end. @returns what it printed */
  async output(script: string, given: Given = {}): Promise<string> {
    const { launcher, launched } = await this.run(script, given);
    await launched.ended;
    const lines = launcher.lastLines();
    await launcher.close();
    return lines.join('\n');
  }

  /** Nothing of a plugin is left on the host but what is to outlive its runs. */
  expectNothingLeft(id: string): void {
    const mine = (path: string) => path.includes(bundleName(id));
    expect(
      listMounts(this.directory)
        .map(({ target }) => target)
        .filter(mine),
    ).toEqual([]);
    const bundles = join(this.execRoot, 'plugins');
    expect(existsSync(bundles) ? readdirSync(bundles).filter(mine) : []).toEqual([]);
    const known = join(this.execRoot, 'plugin-runtimes', this.#runtime);
    expect(existsSync(known) ? readdirSync(known).filter(mine) : []).toEqual([]);
    expect(processesIn(cgroupPath('cleat-test', id))).toEqual([]);
    expect(this.warnings).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const launcher of this.#launchers) await launcher.close();
    await this.#helper.close();
    unmountAll(this.directory);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #log(to: string[], least: 'info' | 'warn'): Logger {
    const keep = (message: string, fields?: Record<string, unknown>) => {
      to.push(fields ? `${message} ${JSON.stringify(fields)}` : message);
    };
    const log: Logger = {
      ...silentLogger,
      warn: keep,
      error: keep,
      ...(least === 'info' && { info: keep }),
      child: () => log,
    };
    return log;
  }
}
