import type { AuthorizationRequest, authzKind } from '@cleat/protocol/kinds/authz';
import type { Handlers } from '@cleat/protocol/kinds/kind';

export type AuthzHandlers = Handlers<typeof authzKind>;

/** A policy that does everything right, with one rule: nobody may be privileged. */
export class HealthyPolicy implements AuthzHandlers {
  target = ({ RequestUri = '' }: AuthorizationRequest): string => {
    const [path = ''] = RequestUri.split('?');
    try {
      return decodeURIComponent(path).replace(/^\/v\d+\.\d+/, '');
    } catch {
      // No engine knows it either.
      return path;
    }
  };

  /** As Go reads it: keys in any case, and the last one counts. */
  body = ({ RequestBody = '' }: AuthorizationRequest): unknown =>
    JSON.parse(Buffer.from(RequestBody, 'base64').toString() || '{}', (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key.toLowerCase(), member]))
        : value,
    );

  AuthZReq: AuthzHandlers['AuthZReq'] = (request) => {
    if (this.target(request) !== '/containers/create') return { Allow: true };
    try {
      const body = this.body(request);
      if (/"privileged":true/.test(JSON.stringify(body))) return { Allow: false, Msg: 'nobody may be privileged' };
      return { Allow: true };
    } catch {
      return { Allow: false, Msg: 'the body of the request is no JSON' };
    }
  };

  AuthZRes: AuthzHandlers['AuthZRes'] = () => ({ Allow: true });
}
