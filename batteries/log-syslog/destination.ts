import { Helper } from '@cleat/linux/helper/helper';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { LogDestination } from '@cleat/sdk/logs/sink';
import { openLineOut } from './line-out.js';
import { type SyslogOptions, syslogOptions, type TlsOptions } from './log-options.js';
import { SyslogSink } from './sink.js';

const helperMs = 5000;

/** The paths are the user's: they are looked at by a process that may hang. */
const helper = new Helper({ deadlineMs: helperMs, idleMs: 1000 });

export const syslog: LogDestination<SyslogOptions> = {
  options: syslogOptions,
  async prepare(options, when) {
    if (options.path !== '') await helper.call('stat', { path: options.path, follow: true }).catch(refuse);
    const prepared = options.transport === 'tcp+tls' ? { ...options, tls: await readFiles(options.tls) } : options;
    if (when === 'started') {
      // As under Docker, a container does not start without its server.
      const out = await openLineOut(prepared);
      await out.close();
    }
    return prepared;
  },
  open: (options, rest) => new SyslogSink(options, rest),
};

async function readFiles({ ca, cert, key, skipVerify }: TlsOptions): Promise<TlsOptions> {
  const read = async (what: string, path: string | undefined) => {
    if (path === undefined) return undefined;
    const answer = await helper.call('readFileInRoot', { root: '/', path }).catch((error: unknown) => {
      throw invalidParameter(`could not read ${what} "${path}": ${messageOf(error)}`, { cause: error });
    });
    return answer.text;
  };
  return {
    ca: await read('CA certificate', ca),
    cert: await read('X509 key pair', cert),
    key: await read('X509 key pair', key),
    skipVerify,
  };
}

function refuse(cause: unknown): never {
  throw invalidParameter(messageOf(cause), { cause });
}
