import { describe, expect, test } from 'vitest';
import { claimIn, payloadFor } from './payload.js';
import { readPublicKey, verifySignatures } from './verify.js';

/**
 * Signatures that cosign made, as data: from `signature/fixtures` of github.com/containers/image (`cosign.pub` with
 * `dir-img-cosign-valid`, and `cosign2.pub` with `dir-img-cosign-key-rekor-valid`, which is in a transparency log, too).
 */
const made = [
  {
    what: 'with a key',
    key: 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFNLqFhf4fiN6o/glAuYnq2jYUeL0vRuLu/z39pmbVwS9ff5AYnlwaP9sxREajdLY9ynM6G1sy6AAmb7Z63TsLg==',
    repository: '192.168.64.2:5000/cosign-signed-single-sample',
    digest: 'sha256:634a8f35b5f16dcf4aaa0822adc0b1964bb786fca12f6831de8ddc45e5986a00',
    payload:
      'eyJjcml0aWNhbCI6eyJpZGVudGl0eSI6eyJkb2NrZXItcmVmZXJlbmNlIjoiMTkyLjE2OC42NC4yOjUwMDAvY29zaWduLXNpZ25lZC1zaW5nbGUtc2FtcGxlIn0sImltYWdlIjp7ImRvY2tlci1tYW5pZmVzdC1kaWdlc3QiOiJzaGEyNTY6NjM0YThmMzViNWYxNmRjZjRhYWEwODIyYWRjMGIxOTY0YmI3ODZmY2ExMmY2ODMxZGU4ZGRjNDVlNTk4NmEwMCJ9LCJ0eXBlIjoiY29zaWduIGNvbnRhaW5lciBpbWFnZSBzaWduYXR1cmUifSwib3B0aW9uYWwiOm51bGx9',
    signature: 'MEYCIQDmtamqYPjMg81nqeBhptrPls44aA/r7PwLmspINJY4MwIhANKRpqe2E9UCBtGFdPoz/8jAbaQm4uP4h+IpwKTE6ClR',
  },
  {
    what: 'with a key and an entry in a log',
    key: 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwOkOF9xpfG8ghueIhnZ66ooujwt1+ReV3HupgKnGFYnEh3Hh1YTg5L6kN1Yakkt5WltRoav8/R3hpCtUO3Rldw==',
    repository: '192.168.64.2:5000/cosign-signed/key-1',
    digest: 'sha256:0489474da8ea22426ece86ace6c1c0026ab2fd3cdfbbd62b7e94650266c37d9a',
    payload:
      'eyJjcml0aWNhbCI6eyJpZGVudGl0eSI6eyJkb2NrZXItcmVmZXJlbmNlIjoiMTkyLjE2OC42NC4yOjUwMDAvY29zaWduLXNpZ25lZC9rZXktMSJ9LCJpbWFnZSI6eyJkb2NrZXItbWFuaWZlc3QtZGlnZXN0Ijoic2hhMjU2OjA0ODk0NzRkYThlYTIyNDI2ZWNlODZhY2U2YzFjMDAyNmFiMmZkM2NkZmJiZDYyYjdlOTQ2NTAyNjZjMzdkOWEifSwidHlwZSI6ImNvc2lnbiBjb250YWluZXIgaW1hZ2Ugc2lnbmF0dXJlIn0sIm9wdGlvbmFsIjpudWxsfQ==',
    signature: 'MEUCIQClOJvH+5f5Gr+FLd1c+NS/a+TJQ+BDDoJcnlD0FKqI3AIgPVcMB5yb/JdtohCSzrxATJX6UcyWO+uAWO8Q7CNGnRQ=',
  },
];
const pem = (key: string) => `-----BEGIN PUBLIC KEY-----\n${key}\n-----END PUBLIC KEY-----\n`;

describe.each(made)('a signature by cosign, $what', ({ key, repository, digest, payload, signature }) => {
  const signed = { payload: Buffer.from(payload, 'base64'), signature };

  test('is verified, by its key only and for its digest only', () => {
    const publisher = readPublicKey(pem(key), 'cosign.pub');
    expect(verifySignatures([digest], [signed], [publisher])).toEqual({ trusted: true, key: publisher });
    const others = made.filter((each) => each.key !== key);
    const strangers = others.map((each) => readPublicKey(pem(each.key), 'other.pub'));
    expect(verifySignatures([digest], [signed], strangers).trusted).toBe(false);
    expect(
      verifySignatures(
        others.map((each) => each.digest),
        [signed],
        [publisher],
      ).trusted,
    ).toBe(false);
  });

  test('is of the document that is signed here, byte for byte', () => {
    expect(payloadFor(repository, digest)).toBe(signed.payload.toString());
  });
});

test('the time is where the format has it, and where cosign puts an annotation', () => {
  const { digest, repository } = made[0] ?? { digest: '', repository: '' };
  const annotated = payloadFor(repository, digest, 0).replace('"timestamp":0', '"timestamp":"1767000000"');
  expect(claimIn(Buffer.from(annotated))).toEqual({ digest, signedAt: 1_767_000_000 });
  const odd = payloadFor(repository, digest, 0).replace('"timestamp":0', '"timestamp":"soon"');
  expect(claimIn(Buffer.from(odd))).toEqual({ digest });
});
