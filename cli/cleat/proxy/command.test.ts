import { expect, test } from 'vitest';
import { UsageError } from '../../cleatd/options/parse.js';
import { proxyCommand } from './command.js';

test.each([
  [['-H', 'unix:///tmp/x.sock', '--bip', '10.0.0.1/24'], '--bip is an option of the engine'],
  [[], 'the proxy needs an address of its own'],
  [['-H', 'unix:///tmp/x.sock', '--upstream', 'https://x'], 'use unix:///PATH or tcp://HOST:PORT'],
  [['-H', 'unix:///tmp/x.sock', '--upstream', 'ssh://host'], 'forward the socket once'],
  [['-H', 'unix:///tmp/x.sock', '--upstream-tls'], '--upstream-tls is for tcp://HOST:PORT'],
  [['-H', 'unix:///tmp/x.sock', '--upstream-tls=maybe'], 'use true or false'],
  [['-H', 'unix:///tmp/x.sock', '--upstream-tlscert', '/no/such'], 'TLS needs /no/such'],
  [['-H', 'unix:///tmp/x.sock', '--unknown-routes=maybe'], 'use auto, pass, refuse'],
  [['-H', 'unix:///tmp/x.sock', '--upstream'], 'flag needs an argument: --upstream'],
])('cleat proxy %j', async (args, message) => {
  const refused = await proxyCommand(args).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(UsageError);
  expect(String(refused)).toContain(message);
});
