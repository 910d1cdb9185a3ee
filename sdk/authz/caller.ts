import { X509Certificate } from 'node:crypto';
import { type Caller, nobody } from '@cleat/protocol/caller';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';

/** The caller as Cleat tells it, or as far as a stock engine does, which knows certificates alone. */
export function callerOf({ Caller: told, User, RequestPeerCertificates }: AuthorizationRequest): Caller {
  if (told) return told;
  if (!User) return nobody;
  const Names = alternativeNames(Buffer.from(RequestPeerCertificates?.[0] ?? '', 'base64').toString());
  return { Method: 'TLS', User, ...(Names.length > 0 && { Names }) };
}

function alternativeNames(pem: string): string[] {
  if (pem === '') return [];
  try {
    // A name in quotes could be taken for another one: it is nobody's.
    return (new X509Certificate(pem).subjectAltName ?? '')
      .split(', ')
      .filter((name) => name !== '' && !/["\\]/.test(name));
  } catch {
    // A text that is no certificate proves nothing.
    return [];
  }
}

/**
 * A caller in one word, as policies name them and as the label of an owner has it: `user:alice` of a certificate,
 * `unix:alice` of this host, `container:ID`, `plugin:NAME`. Undefined for one who proves nothing, or whose process had
 * ended before anybody could look where it ran.
 */
export function ownerOf({ Method, User, Within, Container, Plugin, Process }: Caller): string | undefined {
  if (Method === 'TLS') return User === '' ? undefined : `user:${User}`;
  if (Method !== 'unix') return undefined;
  if (Container) return `container:${Container.ID}`;
  if (Plugin) return `plugin:${Plugin.Name}`;
  if (Within !== 'host') return undefined;
  return `unix:${User === '' ? (Process?.UID ?? '') : User}`;
}
