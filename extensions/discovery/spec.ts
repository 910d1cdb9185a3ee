import { invalidParameter } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import Type from '@cleat/protocol/schema';
import { type Address, parseAddress } from '../carriers/address.js';

export interface PluginSpec {
  address: Address;
}

/** A `.spec` file: one address. @throws InvalidParameter */
export function parseSpec(text: string): PluginSpec {
  return { address: parseAddress(text.trim()) };
}

const JsonSpec = Type.Object({
  Name: Type.Optional(Type.String()),
  Addr: Type.String(),
  TLSConfig: Type.Optional(
    Type.Union([
      Type.Object({
        InsecureSkipVerify: Type.Optional(Type.Boolean()),
        CAFile: Type.Optional(Type.String()),
        CertFile: Type.Optional(Type.String()),
        KeyFile: Type.Optional(Type.String()),
      }),
      Type.Null(),
    ]),
  ),
});

/**
 * A `.json` file: `{Name, Addr, TLSConfig}`. Its Name is ignored, as in Docker: the file's name counts.
 * @throws InvalidParameter
 */
export function parseJsonSpec(name: string, text: string): PluginSpec {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw invalidParameter(`the description of plugin "${name}" is not JSON`, { cause });
  }
  const { Addr, TLSConfig } = decode(JsonSpec, value, name);
  const tls = TLSConfig
    ? {
        // Docker, too, does not verify when no CA is named.
        insecureSkipVerify: TLSConfig.InsecureSkipVerify || !TLSConfig.CAFile,
        caFile: TLSConfig.CAFile || undefined,
        certFile: TLSConfig.CertFile || undefined,
        keyFile: TLSConfig.KeyFile || undefined,
      }
    : undefined;
  return { address: parseAddress(Addr, tls) };
}
