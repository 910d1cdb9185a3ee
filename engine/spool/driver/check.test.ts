import type { Extensions } from '@cleat/extensions/service';
import { notFound, systemError, unavailable } from '@cleat/protocol/errors';
import { expect, test } from 'vitest';
import { checkLogOptions } from './check.js';

function drivers(capabilities: unknown): Pick<Extensions, 'get'> {
  const get = async (_: unknown, name: string) => {
    if (name === 'away') throw unavailable('it does not answer');
    if (name !== 'known') throw notFound(`plugin "${name}" not found (known for LogDriver: known)`);
    const ValidateOptions = async ({ Config }: { Config: Record<string, string> }) => {
      const unknown = Object.keys(Config).find((key) => key !== 'max-size');
      if (unknown) throw systemError(`unknown log opt '${unknown}' for known log driver`);
    };
    return { Capabilities: async () => capabilities, ValidateOptions };
  };
  return { get } as unknown as Pick<Extensions, 'get'>;
}

const checking = drivers({ Cap: { ValidateOptions: true } });
const ofDocker = drivers({ Cap: { ReadLogs: true } });

test.each([
  [checking, 'nope', {}, 'error looking up logging plugin nope: plugin "nope" not found'],
  [checking, 'known', { foo: 'bar' }, "unknown log opt 'foo' for known log driver"],
  [checking, 'known', { mode: 'foo' }, 'logger: logging mode not supported: foo'],
  [checking, 'known', { 'max-buffer-size': '1m' }, "only supported with 'mode=non-blocking'"],
  [checking, 'known', { mode: 'non-blocking', 'max-buffer-size': 'x' }, 'error parsing option max-buffer-size'],
  [checking, 'known', { 'cache-disabled': 'maybe' }, 'invalid value for option cache-disabled: maybe'],
])('refused: %#', async (extensions, driver, options, message) => {
  const refused = checkLogOptions(extensions, driver, options as Record<string, string>);
  await expect(refused).rejects.toMatchObject({ class: 'InvalidParameter', message: expect.stringContaining(message) });
});

test('the text that clients compare has no advice behind it; who starts an engine gets it', async () => {
  const text = 'error looking up logging plugin nope: plugin "nope" not found';
  await expect(checkLogOptions(checking, 'nope', {})).rejects.toMatchObject({ message: text });
  await expect(checkLogOptions(checking, 'nope', {}, { patient: true })).rejects.toMatchObject({
    message: `${text} (known for LogDriver: known)`,
  });
});

test('options that a driver has, any option of a driver that does not say, and a driver that may come until the start', async () => {
  await checkLogOptions(checking, 'known', { 'max-size': '1m', mode: 'non-blocking', 'max-buffer-size': '1m' });
  await checkLogOptions(ofDocker, 'known', { anything: 'goes' });
  await checkLogOptions(checking, 'away', { anything: 'goes' });
});
