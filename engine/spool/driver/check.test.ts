import type { Extensions } from '@cleat/extensions/service';
import { notFound, unavailable } from '@cleat/protocol/errors';
import { expect, test } from 'vitest';
import { checkLogOptions } from './check.js';

function drivers(capabilities: unknown): Pick<Extensions, 'get'> {
  const get = async (_: unknown, name: string) => {
    if (name === 'away') throw unavailable('it does not answer');
    if (name !== 'known') throw notFound(`plugin "${name}" not found`);
    return { Capabilities: async () => capabilities };
  };
  return { get } as unknown as Pick<Extensions, 'get'>;
}

const listing = drivers({ Cap: { Options: ['max-size'] } });
const ofDocker = drivers({ Cap: { ReadLogs: true } });

test.each([
  [listing, 'nope', {}, 'error looking up logging plugin nope: plugin "nope" not found'],
  [listing, 'known', { foo: 'bar' }, "unknown log opt 'foo' for known log driver"],
  [listing, 'known', { mode: 'foo' }, 'logger: logging mode not supported: foo'],
  [listing, 'known', { 'max-buffer-size': '1m' }, "only supported with 'mode=non-blocking'"],
])('refused: %#', async (extensions, driver, options, message) => {
  const refused = checkLogOptions(extensions, driver, options as Record<string, string>);
  await expect(refused).rejects.toMatchObject({ class: 'InvalidParameter', message: expect.stringContaining(message) });
});

test('what a driver has, any option of one that does not say, and one that may come until the start', async () => {
  await checkLogOptions(listing, 'known', { 'max-size': '1m', mode: 'non-blocking', 'max-buffer-size': '1m' });
  await checkLogOptions(ofDocker, 'known', { anything: 'goes' });
  await checkLogOptions(listing, 'away', { anything: 'goes' });
});
