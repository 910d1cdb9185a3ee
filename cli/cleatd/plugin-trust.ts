import { isAbsolute } from 'node:path';
import type { PluginTrustRule } from '@cleat/engine/config';
import { readPublicKey } from '@cleat/engine/plugins/trust/verify';
import { readGivenFile } from '@cleat/linux/files/given';
import { messageOf } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json-text';
import { UsageError } from './options/parse.js';

/**
 * The rules of `plugin-trust`, with the keys that they name: `{"name": "registry.example/team/*", "keys": ["/etc/cleat/team.pub"]}`,
 * or `{"name": "*", "unsigned": true}`. A mistake is one of the start, not of the first pull.
 * @throws UsageError
 */
export function trustRules(value: unknown, nameOf: (flag: string) => string): PluginTrustRule[] {
  const wrong = (why: string) => new UsageError(`${nameOf('plugin-trust')}: ${why}`);
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong('expected a list of rules');
  return value.map((rule: unknown, at) => {
    const fault = (why: string) => wrong(`rule ${at + 1}: ${why}`);
    if (!isRecord(rule)) throw fault('expected an object with name and keys');
    const { name, keys = [], unsigned = false, ...others } = rule;
    const [strange] = Object.keys(others);
    if (strange !== undefined) throw fault(`there is no setting "${strange}": name, keys and unsigned are known`);
    if (typeof name !== 'string' || name === '') throw fault('name must be a pattern, such as registry.example/team/*');
    if (typeof unsigned !== 'boolean') throw fault('unsigned must be true or false');
    if (!Array.isArray(keys)) throw fault('keys must be a list of files');
    if (unsigned && keys.length > 0) throw fault('either keys or unsigned, not both');
    return { name, unsigned, keys: keys.map((path: unknown) => readKey(path, fault)) };
  });
}

function readKey(path: unknown, fault: (why: string) => UsageError): PluginTrustRule['keys'][number] {
  if (typeof path !== 'string' || !isAbsolute(path)) throw fault('a key is the absolute path of a PEM file');
  try {
    const pem = readGivenFile(path).toString();
    readPublicKey(pem, path);
    return { path, pem };
  } catch (error) {
    throw fault(messageOf(error));
  }
}
