import { resolve } from 'node:path';
import { type HooksConfig, readHooksFile } from '@cleat/engine/hooks/config';
import { messageOf } from '@cleat/protocol/errors';
import { UsageError } from './options/parse.js';

/** The hooks of the file that the operator names. A mistake in it is one of the start. @throws UsageError */
export function hooksOf(path: string, nameOf: (flag: string) => string): HooksConfig | undefined {
  if (path === '') return undefined;
  try {
    return readHooksFile(resolve(path));
  } catch (error) {
    throw new UsageError(`${nameOf('hooks')}: ${messageOf(error)}`);
  }
}
