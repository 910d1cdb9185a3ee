import { homedir } from 'node:os';
import { join } from 'node:path';
import { readGivenFile } from '@cleat/linux/files/given';
import { messageOf } from '@cleat/protocol/errors';
import { UsageError } from './options/parse.js';
import type { Values } from './options/table.js';

export interface TlsFiles {
  /** PEM. */
  cert: Buffer;
  key: Buffer;
  /** Present: clients must show a certificate that it signed. */
  ca?: Buffer;
}

/** Combines `--tls` and its like (as dockerd's setDefaultOptions). */
export type TlsMode = 'off' | 'on' | 'verify';

/** @param wasSet the flags that were set, on the command line or in the file. */
export function tlsMode(values: Values, wasSet: (flag: 'tls' | 'tlsverify') => boolean): TlsMode {
  const fromEnvironment = (process.env.DOCKER_TLS_VERIFY ?? '') !== '';
  const verify = values.tlsverify || (fromEnvironment && !wasSet('tlsverify'));
  // Naming tlsverify at all, true or false, asks for TLS; plain --tls verifies, unless told otherwise.
  const tls = values.tls || verify || wasSet('tlsverify');
  if (!tls) return 'off';
  return verify || !wasSet('tlsverify') ? 'verify' : 'on';
}

const defaultNames = { tlscacert: 'ca', tlscert: 'cert', tlskey: 'key' };

/** @throws UsageError naming the file that cannot be read. */
export function readTls(values: Values, mode: 'on' | 'verify'): TlsFiles {
  // Where dockerd looks.
  const directory = process.env.DOCKER_CERT_PATH || join(homedir(), '.docker');
  const read = (flag: 'tlscert' | 'tlskey' | 'tlscacert'): Buffer => {
    const path = values[flag] || join(directory, `${defaultNames[flag]}.pem`);
    try {
      return readGivenFile(path);
    } catch (error) {
      throw new UsageError(`TLS needs --${flag}: cannot read ${path} (${messageOf(error)})`);
    }
  };
  const files = { cert: read('tlscert'), key: read('tlskey') };
  return mode === 'verify' ? { ...files, ca: read('tlscacert') } : files;
}
