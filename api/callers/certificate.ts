import type { Socket } from 'node:net';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** The certificate by which a client proved who it is. */
export interface ClientCertificate {
  /** The common name; '' where it has none. */
  readonly user: string;
  /** Subject alternative names: `DNS:a.example.org`. */
  readonly names: readonly string[];
  /** PEM; the client's own first, then those of its issuers, without the root. */
  readonly chain: readonly string[];
}

/** @returns undefined without one that our CA vouches for */
export function clientCertificate(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const own = socket.getPeerCertificate(true);
  if (own.raw === undefined) return undefined;
  return { user: commonName(own), names: alternativeNames(own.subjectaltname ?? ''), chain: chain(own).map(pem) };
}

/** The last one where there are several, as Go reads a subject. */
function commonName({ subject }: DetailedPeerCertificate): string {
  const name: unknown = subject.CN;
  return String((Array.isArray(name) ? name.at(-1) : name) ?? '');
}

/** As Node.js lists them: `DNS:a, email:b`, with quotes of JSON around one that could be mistaken. */
export function alternativeNames(text: string): string[] {
  return [...text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(([, kind, value = '']) => {
    return `${kind}:${value.startsWith('"') ? unquoted(value) : value}`;
  });
}

/** A name that cannot be read is told as it stands: no certificate may end the engine. */
function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

function chain(own: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const certificates = [own];
  for (let issuer = own.issuerCertificate; issuer && issuer !== issuer.issuerCertificate; ) {
    if (certificates.includes(issuer)) break;
    certificates.push(issuer);
    issuer = issuer.issuerCertificate;
  }
  return certificates;
}

function pem({ raw }: DetailedPeerCertificate): string {
  const lines = raw.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
