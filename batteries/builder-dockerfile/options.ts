import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';
import { parseBinarySize } from '@cleat/protocol/size';
import { type ContainerView, readView } from './run/container-view.js';

export const options = {
  stateDir: { required: true, help: 'directory of the build cache, an absolute path' },
  containerView: { default: '', help: 'how containers see the files of this host, as the engine says' },
  parallel: { default: '4', help: 'steps that all builds together do at once' },
  cacheSize: { default: '20g', help: 'bytes that the build cache may take: what was not used for longest goes' },
  cacheDays: { default: '30', help: 'days after which what was not used goes from the build cache' },
} as const satisfies OptionDeclarations;

export interface Settings {
  readonly stateDir: string;
  readonly view: ContainerView;
  readonly parallel: number;
  readonly cacheBytes: number;
  readonly cacheMs: number;
}

/** @throws InvalidParameter that names the option */
export function settingsOf({
  stateDir,
  containerView,
  parallel,
  cacheSize,
  cacheDays,
}: OptionsOf<typeof options>): Settings {
  const wrong = (option: string, must: string) =>
    invalidParameter(`builder-dockerfile: the option ${option} must be ${must}`);
  if (!stateDir.startsWith('/')) throw wrong('stateDir', 'an absolute path');
  if (!/^[1-9]\d{0,2}$/.test(parallel)) throw wrong('parallel', 'a number from 1 to 999');
  if (!/^[1-9]\d{0,4}$/.test(cacheDays)) throw wrong('cacheDays', 'a number of days');
  const cacheBytes = parseBinarySize(cacheSize);
  if (cacheBytes === undefined) throw wrong('cacheSize', 'a size, such as 20g');
  const view = readView(containerView);
  return { stateDir, view, parallel: Number(parallel), cacheBytes, cacheMs: Number(cacheDays) * 86_400_000 };
}
