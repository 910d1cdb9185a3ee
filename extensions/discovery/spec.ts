import { invalidParameter } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import Type from '@cleat/protocol/schema';
import { type Address, parseAddress } from '../carriers/address.js';

export interface PluginSpec {
  address: Address;
}

/** A `.spec` file: one address. Nothing can be said in it of whom to trust: as Docker, `https` is not verified then. @throws InvalidParameter */
export function parseSpec(text: string): PluginSpec {
  return { address: parseAddress(text.trim(), { insecureSkipVerify: true }) };
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
export function parseJsonSpec(text: string): PluginSpec {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw invalidParameter('its description is not JSON', { cause });
  }
  const { Addr, TLSConfig } = decode(JsonSpec, value, 'plugin');
  if (!TLSConfig) return { address: parseAddress(Addr) };
  const tls = {
    // Docker, too, does not verify when no CA is named.
    insecureSkipVerify: TLSConfig.InsecureSkipVerify || !TLSConfig.CAFile,
    caFile: TLSConfig.CAFile || undefined,
    certFile: TLSConfig.CertFile || undefined,
    keyFile: TLSConfig.KeyFile || undefined,
  };
  // Docker sends plain text to a `tcp://` address, whatever is said of TLS. Who names certificates does not mean that.
  return { address: parseAddress(Addr.replace(/^tcp:/, 'https:'), tls) };
}
