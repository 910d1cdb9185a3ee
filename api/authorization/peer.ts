import type { Socket } from 'node:net';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';

export interface Peer {
  /** '' without a certificate that was verified. */
  readonly user: string;
  readonly userMethod: '' | 'TLS';
  /** PEM; the client's own first, then those of its issuers, without the root. */
  readonly certificates: readonly string[];
}

const nobody: Peer = { user: '', userMethod: '', certificates: [] };

/** The user at the other end, as far as TLS tells: the common name of a client certificate that our CA vouches for. */
export function peerOf(socket: Socket): Peer {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return nobody;
  const own = socket.getPeerCertificate(true);
  if (own.raw === undefined) return nobody;
  return { user: commonName(own), userMethod: 'TLS', certificates: chain(own).map(pem) };
}

/** The last one where there are several, as Go reads a subject. */
function commonName({ subject }: DetailedPeerCertificate): string {
  const name: unknown = subject.CN;
  return String((Array.isArray(name) ? name.at(-1) : name) ?? '');
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
