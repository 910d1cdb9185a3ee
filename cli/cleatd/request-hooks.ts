import { resolve } from 'node:path';
import { type HooksConfig, readHooksFile } from '@cleat/engine/hooks/config';
import { checkRoutes } from '@cleat/engine/hooks/match';
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

/** Routes that the API does not have would never fit. @throws UsageError */
export async function checkHooks({ path, entries }: HooksConfig, nameOf: (flag: string) => string): Promise<void> {
  const { routeShapes } = await import('@cleat/api/routes');
  for (const { name, match = [] } of entries) {
    try {
      checkRoutes(match, routeShapes());
    } catch (error) {
      throw new UsageError(`${nameOf('hooks')}: ${path}: hook ${name}: ${messageOf(error)}`);
    }
  }
}
