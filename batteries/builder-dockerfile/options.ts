import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';
import { parseBinarySize } from '@cleat/protocol/size';

export const options = {
  stateDir: { required: true, help: 'directory of the build cache, an absolute path' },
  parallel: { default: '4', help: 'steps that all builds together do at once' },
  cacheSize: { default: '20g', help: 'bytes that the build cache may take: what was not used for longest goes' },
  cacheDays: { default: '30', help: 'days after which what was not used goes from the build cache' },
} as const satisfies OptionDeclarations;

export interface Settings {
  readonly stateDir: string;
  readonly parallel: number;
  readonly cacheBytes: number;
  readonly cacheMs: number;
}

/** @throws InvalidParameter that names the option */
export function settingsOf({ stateDir, parallel, cacheSize, cacheDays }: OptionsOf<typeof options>): Settings {
  const wrong = (option: string, must: string) =>
    invalidParameter(`builder-dockerfile: the option ${option} must be ${must}`);
  if (!stateDir.startsWith('/')) throw wrong('stateDir', 'an absolute path');
  if (!/^[1-9]\d{0,2}$/.test(parallel)) throw wrong('parallel', 'a number from 1 to 999');
  if (!/^[1-9]\d{0,4}$/.test(cacheDays)) throw wrong('cacheDays', 'a number of days');
  const cacheBytes = parseBinarySize(cacheSize);
  if (cacheBytes === undefined) throw wrong('cacheSize', 'a size, such as 20g');
  return { stateDir, parallel: Number(parallel), cacheBytes, cacheMs: Number(cacheDays) * 86_400_000 };
}
