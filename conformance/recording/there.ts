import { existsSync, statSync } from 'node:fs';
import { invalidParameter, notFound, unavailable } from '@cleat/protocol/errors';
import type { Reached } from '../reach.js';
import { asidePath, isAnswered } from './take-over.js';

/**
 * Before anything is made or asked: without a plugin there is nothing to record, and nothing to compare.
 * @throws NotFound, InvalidParameter, Unavailable
 */
export async function checkThere(plugin: Reached): Promise<void> {
  const address = plugin.address();
  if (address.type === 'unix') {
    const { path } = address;
    const found = statSync(path, { throwIfNoEntry: false });
    if (existsSync(asidePath(path)) && !(found?.isSocket() && (await isAnswered({ path })))) {
      throw unavailable(`a recorder that was killed has left ${path} aside: cleat record ${path} --put-back`);
    }
    if (found === undefined) throw notFound(`there is no ${path}: start the plugin first`);
    if (!found.isSocket()) throw invalidParameter(`${path} is no socket`);
    if (!(await isAnswered({ path }))) throw unavailable(`nobody listens at ${path}: start the plugin first`);
  } else if (!(await isAnswered(address))) {
    throw unavailable(`nobody listens at ${plugin.origin}: start the plugin first`);
  }
}
