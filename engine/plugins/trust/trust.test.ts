import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseReference } from '../../content/references.js';
import { claimIn, payloadFor, signatureTag } from './payload.js';
import { demandOn } from './rules.js';
import { readPublicKey, type Signature, verifySignatures } from './verify.js';

const digest = `sha256:${'a'.repeat(64)}`;
const other = `sha256:${'b'.repeat(64)}`;
const spki = { type: 'spki', format: 'pem' } as const;
const pairs = {
  ed25519: generateKeyPairSync('ed25519'),
  'ECDSA P-256': generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
};
const stranger = generateKeyPairSync('ed25519');
const trust = (pair: { publicKey: (typeof stranger)['publicKey'] }, name = 'key.pub') =>
  readPublicKey(pair.publicKey.export(spki).toString(), name);

function signed(pair: typeof stranger, payload: string | Buffer): Signature {
  const bytes = Buffer.from(payload);
  const hash = pair.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return { payload: bytes, signature: sign(hash, bytes, pair.privateKey).toString('base64') };
}

describe.each(Object.entries(pairs))('a signature with %s', (_, pair) => {
  const good = signed(pair, payloadFor('registry.example/me/p', digest));

  test('by a key that is trusted is one, wherever it stands', () => {
    const key = trust(pair);
    expect(verifySignatures([digest], [good], [key])).toEqual({ trusted: true, key });
    const among = [signed(stranger, good.payload), signed(pair, payloadFor('x', other)), good];
    expect(verifySignatures([other, digest], among, [trust(stranger, 'x'), key])).toMatchObject({ trusted: true });
  });

  test('the latest of several counts', () => {
    const at = (time?: number) => signed(pair, payloadFor('r/p', digest, time));
    const verdict = verifySignatures(
      [digest],
      [at(), at(7), at(9), at(8), signed(stranger, at(10).payload)],
      [trust(pair)],
    );
    expect(verdict).toMatchObject({ trusted: true, signedAt: 9 });
  });

  test.each([
    ['there is none', [], 'it has no signature'],
    ['of a stranger', [signed(stranger, good.payload)], 'with none of the keys key.pub'],
    ['of something else', [signed(pair, payloadFor('registry.example/me/p', other))], 'something else'],
    ['of no payload', [signed(pair, digest)], 'something else'],
    ['whose payload was changed', [{ ...good, payload: Buffer.from(`${good.payload} `) }], 'with none of the keys'],
    ['that is no base64', [{ ...good, signature: '!' }], 'with none of the keys'],
    ['that is empty', [{ ...good, signature: '' }], 'with none of the keys'],
  ])('%s: it is not', (_case, signatures, why) => {
    const verdict = verifySignatures([digest], signatures, [trust(pair)]);
    expect(verdict).toEqual({ trusted: false, why: expect.stringContaining(why) });
  });

  test('any single bit decides', () => {
    const bytes = Buffer.from(good.signature, 'base64');
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const signature = changed.toString('base64');
        expect(verifySignatures([digest], [{ ...good, signature }], [trust(pair)]).trusted).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  test('needs a key', () => expect(verifySignatures([digest], [good], []).trusted).toBe(false));
});

test('a signature by OpenSSL, as cosign makes one with a key on disk, is verified', () => {
  const directory = mkdtempSync('/tmp/cleat-trust-');
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  try {
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'key');
    openssl('ec', '-in', 'key', '-pubout', '-out', 'pub');
    writeFileSync(join(directory, 'payload'), payloadFor('r/p', digest));
    openssl('dgst', '-sha256', '-sign', 'key', '-out', 'sig', 'payload');
    const read = (name: string) => readFileSync(join(directory, name));
    const signature = { payload: read('payload'), signature: read('sig').toString('base64') };
    expect(verifySignatures([digest], [signature], [readPublicKey(read('pub').toString(), 'pub')]).trusted).toBe(true);
    expect(() => readPublicKey(read('key').toString(), 'key')).toThrow('holds a private key');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.each([
  [
    generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export(spki).toString(),
    'must be ed25519 or ECDSA P-256',
  ],
  [generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey.export(spki).toString(), 'must be ed25519'],
  ['nonsense', 'holds no public key'],
])('another key is refused: %#', (pem, complaint) => {
  expect(() => readPublicKey(pem, 'k')).toThrow(`${complaint}`);
});

describe('a payload', () => {
  test('names its digest, and lies under a tag of it', () => {
    expect(claimIn(Buffer.from(payloadFor('r/p', digest)))).toEqual({ digest });
    expect(claimIn(Buffer.from(payloadFor('r/p', digest, 5)))).toEqual({ digest, signedAt: 5 });
    expect(signatureTag(digest)).toBe(`sha256-${'a'.repeat(64)}.sig`);
  });

  test('a signature of another type, or of any other form, speaks of nothing', () => {
    const odd = payloadFor('r/p', digest).replace('cosign container image signature', 'other');
    expect(claimIn(Buffer.from(odd))).toBeUndefined();
    fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => claimIn(Buffer.from(text)) === undefined));
  });
});

describe('rules', () => {
  const keys = [trust(stranger)];
  const rules = [
    { name: 'registry.example/team/*', keys, unsigned: false },
    { name: 'vieux/sshfs', keys: [], unsigned: true },
    { name: 'registry.example/*', keys: [], unsigned: false },
  ];
  const demand = (name: string, list = rules) => demandOn(list, parseReference(name));

  test('the first that fits decides; a name may be as users write it', () => {
    expect(demand('registry.example/team/a/b:1')).toEqual({ kind: 'signature', rule: rules[0] });
    expect(demand('vieux/sshfs')).toEqual({ kind: 'nothing' });
    expect(demand('docker.io/vieux/sshfs')).toEqual({ kind: 'nothing' });
    expect(demand('registry.example/other')).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('names no key'),
    });
  });

  test('a pattern is no part of a name, and a dot is a dot', () => {
    expect(demand('registryxexample/team/a')).toMatchObject({ kind: 'refused' });
    expect(demand('elsewhere.example/registry.example/team/a')).toMatchObject({ kind: 'refused' });
    expect(demand('vieux/sshfs-fake')).toMatchObject({ kind: 'refused', why: 'no rule of plugin-trust is for it' });
  });

  test('without rules everything is taken', () => expect(demand('any/thing', [])).toEqual({ kind: 'nothing' }));
});
