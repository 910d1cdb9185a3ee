import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { conflict, invalidParameter, notFound } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { volumeKind } from '@cleat/protocol/kinds/volume';

/** Duration of a Mount that others might have to wait for. */
const slowMs = 600;

export type VolumeHandlers = Handlers<typeof volumeKind>;

/** Volumes, and under which IDs each is mounted. */
export type State = Record<string, string[]>;

/**
 * A volume plugin that does everything right, with little: a volume is a directory, and what is mounted is a link to
 * it, which is there for as long as somebody holds it.
 */
export class HealthyVolumes implements VolumeHandlers {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    for (const name of ['data', 'mnt']) mkdirSync(join(root, name), { recursive: true });
  }

  get state(): State {
    const file = join(this.root, 'state.json');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  }

  set state(state: State) {
    writeFileSync(join(this.root, 'state.new'), JSON.stringify(state));
    renameSync(join(this.root, 'state.new'), join(this.root, 'state.json'));
  }

  data = (name: string): string => join(this.root, 'data', name);
  mountpoint = (name: string): string => join(this.root, 'mnt', name);

  holders(name: string): string[] {
    const holders = this.state[name];
    if (!holders) throw notFound(`there is no volume ${name}`);
    return holders;
  }

  link(name: string): void {
    if (!existsSync(this.mountpoint(name))) symlinkSync(this.data(name), this.mountpoint(name));
  }

  unlink(name: string): void {
    rmSync(this.mountpoint(name), { force: true });
  }

  describe = (name: string) => ({ Name: name, Mountpoint: this.mountpoint(name), CreatedAt: '2026-01-31T12:00:00Z' });

  Create: VolumeHandlers['Create'] = ({ Name }) => {
    if (!/^\w[\w.-]*$/.test(Name)) throw invalidParameter(`a volume cannot be called ${JSON.stringify(Name)}`);
    mkdirSync(this.data(Name), { recursive: true });
    this.state = { [Name]: [], ...this.state };
    return { Volume: this.describe(Name) };
  };

  Remove: VolumeHandlers['Remove'] = ({ Name }) => {
    if (this.holders(Name).length > 0) throw conflict(`volume ${Name} is in use`);
    const { [Name]: _gone, ...others } = this.state;
    this.state = others;
    rmSync(this.data(Name), { recursive: true });
  };

  Mount: VolumeHandlers['Mount'] = async ({ Name, ID }) => {
    // As a disk that is attached first.
    if (Name.endsWith('-slow')) await pause(slowMs);
    this.state = { ...this.state, [Name]: [...new Set([...this.holders(Name), ID])] };
    this.link(Name);
    return { Mountpoint: this.mountpoint(Name) };
  };

  Unmount: VolumeHandlers['Unmount'] = ({ Name, ID }) => {
    const left = this.holders(Name).filter((holder) => holder !== ID);
    this.state = { ...this.state, [Name]: left };
    if (left.length === 0) this.unlink(Name);
  };

  Path: VolumeHandlers['Path'] = ({ Name }) =>
    this.holders(Name).length > 0 ? { Mountpoint: this.mountpoint(Name) } : {};

  Get: VolumeHandlers['Get'] = ({ Name }) => {
    this.holders(Name);
    return { Volume: this.describe(Name) };
  };

  List: VolumeHandlers['List'] = () => ({ Volumes: Object.keys(this.state).map(this.describe) });

  Capabilities: VolumeHandlers['Capabilities'] = () => ({
    Capabilities: { Scope: 'local', IdempotentCreate: true, Context: true },
  });
}
