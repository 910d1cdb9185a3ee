import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isUsable } from '@cleat/engine/plugins/trust/verify';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';

/**
 * Reads a publisher's private key: PEM of ed25519 or ECDSA P-256, with the passphrase of `CLEAT_KEY_PASSWORD` where it has one.
 * @throws InvalidParameter with what to do
 */
export function readPrivateKey(path: string, env = process.env): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw invalidParameter(`the key cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (/ENCRYPTED (COSIGN|SIGSTORE) PRIVATE KEY/.test(pem)) {
    throw invalidParameter(
      `${path} is in cosign's own format, which only cosign opens: sign with cosign itself, or make a key with "cleat plugins keygen"`,
    );
  }
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, passphrase: env.CLEAT_KEY_PASSWORD ?? '' });
  } catch (cause) {
    const hint = /ENCRYPTED/.test(pem) ? ' with the passphrase in CLEAT_KEY_PASSWORD' : ' (PEM)';
    throw invalidParameter(`${path} holds no private key that can be read${hint}`, { cause });
  }
  if (!isUsable(key)) throw invalidParameter(`${path}: a key must be ed25519 or ECDSA P-256`);
  return key;
}

/** As cosign signs: ed25519 the bytes themselves, ECDSA their SHA-256, as DER. @returns base64 */
export function signatureOf(key: KeyObject, payload: string): string {
  return sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(payload), key).toString('base64');
}

/** A new pair, as PEM: ECDSA P-256, which cosign verifies, too. */
export function newKeyPair(passphrase: string | undefined): { publicKey: string; privateKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const hidden = passphrase ? { cipher: 'aes-256-cbc', passphrase } : {};
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem', ...hidden }).toString(),
  };
}
